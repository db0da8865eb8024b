#include "asr/client/channel.h"

#include <poll.h>

#include <algorithm>

#include "base/fd_passing.h"

namespace headroom::asr {
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

Result<> Channel::Send(const json& body, std::span<const int> fds, MonoTime deadline) {
  std::vector<std::uint8_t> bytes = json::to_cbor(body);
  std::vector<int> descriptors(fds.begin(), fds.end());
  Fd large;
  if (bytes.size() > kMaxMessage) {
    TRY_ASSIGN(large, MakeSealedMemory("headroom-message", std::as_bytes(std::span(bytes))));
    descriptors.push_back(large.get());
    bytes = json::to_cbor({{kLarge, true}});
  }

  const MutexLock lock(sending_);
  while (true) {
    TRY_ASSIGN(const bool sent,
               TrySendMessage(socket_.get(), std::as_bytes(std::span(bytes)), descriptors));
    if (sent) return {};
    const auto left = std::chrono::ceil<Milliseconds>(deadline - SystemClock().Now());
    if (left.count() <= 0) return Fail(Errc::kTimeout, "the other process does not read");
    pollfd writable{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
    ::poll(&writable, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 1000)));
  }
}

Result<std::optional<Message>> Channel::TryReceive() {
  std::vector<std::byte> bytes(kMaxMessage);
  TRY_ASSIGN(auto passed, TryReceiveMessage(socket_.get(), bytes));
  if (!passed) return std::optional<Message>();

  Message message;
  message.fds = std::move(passed->fds);
  TRY_ASSIGN(message.body, ParseMessage(std::span(bytes).first(passed->size)));
  if (message.body.contains(kLarge)) {
    if (message.fds.empty()) return Fail(Errc::kProtocol, "a large message without its memory");
    const Fd memory = std::move(message.fds.back());
    message.fds.pop_back();
    TRY_ASSIGN(const Mapping mapping, Mapping::OfSealed(memory.get(), kMaxLargeMessage));
    TRY_ASSIGN(message.body, ParseMessage(mapping.bytes()));
  }
  return std::optional(std::move(message));
}

}  // namespace headroom::asr
