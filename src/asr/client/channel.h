// One end of the socket between a supervisor and a worker: whole CBOR messages with descriptors.
//
// The socket (base/fd_passing.h) keeps message boundaries, so there is no framing. A message is at
// most 64 KiB on the socket (the kernel would take about 200 kB); a larger one travels in sealed
// memory, and neither side notices. What arrives is checked before it is believed: anything
// malformed is kProtocol. One thread receives; any thread may send. See docs/worker-protocol.md.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/mutex.h"

namespace headroom::asr {

inline constexpr std::size_t kMaxMessage = std::size_t{64} << 10;       // bytes on the socket
inline constexpr std::size_t kMaxLargeMessage = std::size_t{64} << 20;  // bytes in sealed memory

struct Message {
  nlohmann::json body;  // always an object
  std::vector<Fd> fds;
};

/// CBOR bytes to an object; kProtocol for anything else, including trailing bytes and nesting
/// deeper than 16. Never throws.
Result<nlohmann::json> ParseMessage(std::span<const std::byte> bytes);

class Channel {
 public:
  /// One end of MakeMessageSockets.
  explicit Channel(Fd socket) : socket_(std::move(socket)) {}
  Channel(Channel&& other) noexcept : socket_(std::move(other.socket_)) {}

  int fd() const { return socket_.get(); }

  /// kWorkerLost when the other side is gone, kTimeout when it does not read until `deadline`.
  Result<> Send(const nlohmann::json& body, std::span<const int> fds, MonoTime deadline);

  /// The next message if one is waiting, nullopt if none; kWorkerLost when the other side is gone.
  Result<std::optional<Message>> TryReceive();

 private:
  Fd socket_;
  Mutex sending_;  // held while one message is sent
};

}  // namespace headroom::asr
