#include "base/fd_passing.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace headroom {
namespace {

using Control = std::array<char, CMSG_SPACE(sizeof(int) * kMaxPassed)>;

std::unexpected<Error> Lost() {
  return Fail(Errc::kWorkerLost, "the other process has closed the connection");
}

// `flags` as for sendmsg; false when it would have to wait.
Result<bool> Send(int socket, std::span<const std::byte> bytes, std::span<const int> fds,
                  int flags) {
  CHECK(!bytes.empty());
  if (fds.size() > kMaxPassed)
    return Fail(Errc::kInternal, "{} descriptors with one message", fds.size());
  iovec data{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) Control control{};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  while (::sendmsg(socket, &header, MSG_NOSIGNAL | flags) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return false;
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) return Lost();
    return FailErrno(errno, "send a message");
  }
  return true;
}

// `flags` as for recvmsg; nullopt when it would have to wait.
Result<std::optional<PassedMessage>> Receive(int socket, std::span<std::byte> into, int flags) {
  iovec data{.iov_base = into.data(), .iov_len = into.size()};
  alignas(cmsghdr) Control control{};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t n = -1;
  do n = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return std::nullopt;
  if (n == 0 || (n < 0 && errno == ECONNRESET)) return Lost();
  if (n < 0) return FailErrno(errno, "receive a message");

  PassedMessage message{.size = static_cast<std::size_t>(n), .fds = {}};
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      message.fds.emplace_back(fd);
    }
  }
  if (header.msg_flags & MSG_TRUNC)
    return Fail(Errc::kProtocol, "a message larger than {} bytes", into.size());
  if (header.msg_flags & MSG_CTRUNC)
    return Fail(Errc::kProtocol, "a message with more descriptors than can be taken");
  return message;
}

}  // namespace

Result<MessageSockets> MakeMessageSockets() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return FailErrno(errno, "make a socket pair");
  return MessageSockets{Fd(ends[0]), Fd(ends[1])};
}

Result<bool> TrySendMessage(int socket, std::span<const std::byte> bytes,
                            std::span<const int> fds) {
  return Send(socket, bytes, fds, MSG_DONTWAIT);
}

Result<std::optional<PassedMessage>> TryReceiveMessage(int socket, std::span<std::byte> into) {
  return Receive(socket, into, MSG_DONTWAIT);
}

Result<> SendFd(int socket, int fd) {
  constexpr std::byte kByte[1]{};
  const int fds[] = {fd};
  TRY_ASSIGN(const bool sent, Send(socket, kByte, fds, 0));
  if (!sent) return FailErrno(EAGAIN, "send a descriptor");
  return {};
}

Result<Fd> ReceiveFd(int socket) {
  std::byte byte[1];
  TRY_ASSIGN(auto message, Receive(socket, byte, 0));
  if (!message) return FailErrno(EAGAIN, "receive a descriptor");
  if (message->fds.size() != 1)
    return Fail(Errc::kProtocol, "a message with {} descriptors instead of one",
                message->fds.size());
  return std::move(message->fds.front());
}

}  // namespace headroom
