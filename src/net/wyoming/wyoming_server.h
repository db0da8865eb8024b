// Wyoming over TCP, for Home Assistant and its relatives: docs/wyoming.md. The protocol has no
// authentication, so who may connect is a list of addresses, and without one only this machine may.
//
// One thread of its own, on which nothing waits. Everything a client can make grow is bounded and
// counted; a client that goes away takes its stream along.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/server/counters.h"
#include "net/server/speech_service.h"
#include "net/wyoming/wyoming_event.h"

namespace headroom::net {

struct WyomingOptions {
  std::string listen = "127.0.0.1:10300";  // ADDRESS:PORT, [::1]:PORT; port 0: any free one
  std::vector<std::string> allow;          // "192.168.1.0/24", "fd00::7"; this machine always may
  std::string version;                     // for `describe`

  std::size_t most_connections = 32;
  WyomingLimits limits;
  Bytes bytes_waiting = KiB(256);   // for a client that does not read
  Milliseconds idle_time{300'000};  // between two requests
  Milliseconds audio_time{30'000};  // between two pieces of audio
  Milliseconds busy_time{30'000};   // for the service to take audio
  Milliseconds text_time{600'000};  // from the end of the audio to its text
  Milliseconds write_time{15'000};  // for a client to take what it is sent
  Milliseconds busy_again{50};      // until audio that was not taken is offered again
};

/// Since the server began.
struct WyomingCounters : ConnectionCounters {
  std::uint64_t bad_events = 0;  // connections closed for what they sent
  std::uint64_t failed = 0;      // closed because the service failed
  std::uint64_t timed_out = 0;
  std::uint64_t slow_readers = 0;
  std::uint64_t vanished = 0;     // clients that left before their transcript
  std::uint64_t transcripts = 0;  // sent
  std::uint64_t waits = 0;        // pieces of audio that the service did not take at once
};

/// Prometheus text.
std::string CountersText(const WyomingCounters& counters);

class WyomingServer {
 public:
  /// Listens and serves until destroyed. kInvalid: an address that is none, or one off loopback
  /// with no client allowed. kBusy: another program has the port. `service` outlives the server.
  static Result<std::unique_ptr<WyomingServer>> Start(WyomingOptions options,
                                                      SpeechService& service);
  ~WyomingServer();

  std::uint16_t port() const;
  /// One line for the log: where, and who may.
  std::string Notice() const;
  WyomingCounters counters() const;

 private:
  struct Core;
  class Session;
  explicit WyomingServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  std::shared_ptr<Core> core_;
};

}  // namespace headroom::net
