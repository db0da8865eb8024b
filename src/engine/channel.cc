#include "engine/channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace headroom::engine {
namespace {

using nlohmann::json;
constexpr int kMaxDepth = 16;
// The only key of the message that stands for one too large for the socket.
constexpr const char* kLarge = "large";

// Depth of a CBOR item sequence, without building it: only heads are read (RFC 8949, section 3).
// Returns false when the bytes end early, nest deeper than kMaxDepth or use indefinite lengths.
bool ShallowEnough(std::span<const std::byte> bytes) {
  std::vector<std::uint64_t> open = {1};  // items still to come at each level
  std::size_t at = 0;
  while (!open.empty()) {
    if (open.back() == 0) {
      open.pop_back();
      continue;
    }
    --open.back();
    if (at >= bytes.size()) return false;
    const auto head = static_cast<std::uint8_t>(bytes[at++]);
    const int major = head >> 5, info = head & 31;
    if (info > 27) return false;
    std::uint64_t value = static_cast<std::uint64_t>(info);
    if (info >= 24) {
      const std::size_t width = std::size_t{1} << (info - 24);
      if (bytes.size() - at < width) return false;
      value = 0;
      for (std::size_t i = 0; i < width; ++i)
        value = value << 8 | static_cast<std::uint8_t>(bytes[at++]);
    }
    if (major == 2 || major == 3) {
      if (value > bytes.size() - at) return false;
      at += value;
    } else if (major == 4 || major == 5) {
      if (value > bytes.size() - at || open.size() > kMaxDepth) return false;
      open.push_back(major == 5 ? value * 2 : value);
    } else if (major == 6) {
      return false;  // we send no tags
    }
  }
  return at == bytes.size();
}

}  // namespace

Result<json> ParseMessage(std::span<const std::byte> bytes) {
  const auto nonsense = [] { return Fail(Errc::kProtocol, "a message that is not valid CBOR"); };
  if (!ShallowEnough(bytes)) return nonsense();
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  json body =
      json::from_cbor(data, data + bytes.size(), /*strict=*/true, /*allow_exceptions=*/false);
  if (body.is_discarded()) return nonsense();
  if (!body.is_object()) return Fail(Errc::kProtocol, "a message that is not a map");
  return body;
}

Result<std::pair<Fd, Fd>> Channel::MakePair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return FailErrno(errno, "make a socket pair");
  return std::pair(Fd(ends[0]), Fd(ends[1]));
}

Result<> Channel::Send(const json& body, std::span<const int> fds, MonoTime deadline) {
  std::vector<std::uint8_t> bytes = json::to_cbor(body);
  std::vector<int> descriptors(fds.begin(), fds.end());
  Fd large;
  if (bytes.size() > kMaxMessage) {
    TRY_ASSIGN(large, MakeSealedMemory("headroom-message", std::as_bytes(std::span(bytes))));
    descriptors.push_back(large.get());
    bytes = json::to_cbor({{kLarge, true}});
  }
  if (descriptors.size() > kMaxDescriptors)
    return Fail(Errc::kInternal, "{} descriptors with one message", descriptors.size());

  iovec data{.iov_base = bytes.data(), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control{};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), sizeof(int) * descriptors.size());
  }

  const std::lock_guard lock(sending_);
  while (true) {
    if (::sendmsg(socket_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
      return Fail(Errc::kWorkerLost, "the other process has closed the connection");
    if (errno != EAGAIN) return FailErrno(errno, "send a message");
    const auto left = std::chrono::ceil<Milliseconds>(deadline - SystemClock().Now());
    if (left.count() <= 0) return Fail(Errc::kTimeout, "the other process does not read");
    pollfd writable{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
    ::poll(&writable, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 1000)));
  }
}

Result<std::optional<Message>> Channel::TryReceive() {
  std::vector<std::byte> bytes(kMaxMessage);
  iovec data{.iov_base = bytes.data(), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control{};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t n = -1;
  do n = ::recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return std::optional<Message>();
  if (n == 0 || (n < 0 && errno == ECONNRESET))
    return Fail(Errc::kWorkerLost, "the other process has closed the connection");
  if (n < 0) return FailErrno(errno, "receive a message");

  Message message;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      message.fds.emplace_back(fd);
    }
  }
  if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
    return Fail(Errc::kProtocol, "a message larger than {} bytes", kMaxMessage);
  TRY_ASSIGN(message.body, ParseMessage(std::span(bytes).first(static_cast<std::size_t>(n))));
  if (message.body.contains(kLarge)) {
    if (message.fds.empty()) return Fail(Errc::kProtocol, "a large message without its memory");
    const Fd memory = std::move(message.fds.back());
    message.fds.pop_back();
    TRY_ASSIGN(const Mapping mapping, Mapping::OfSealed(memory.get(), kMaxLargeMessage));
    TRY_ASSIGN(message.body, ParseMessage(mapping.bytes()));
  }
  return std::optional(std::move(message));
}

}  // namespace headroom::engine
