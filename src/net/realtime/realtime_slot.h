// A realtime socket, as the HTTP server counts it among its connections.
#pragma once

#include <functional>

#include "base/clock.h"

namespace headroom::net {

/// Given back by the destructor. Keep it for as long as the socket is open; destroy it on the
/// server's thread.
class RealtimeSlot {
 public:
  virtual ~RealtimeSlot() = default;
  /// Called once, on the server's thread, when the server ends or the client's token is revoked:
  /// say goodbye and close, within half a second. Handlers that are still waiting then are
  /// destroyed without a call.
  std::function<void()> on_end;
  /// Called at most once, on the server's thread, when the service is being drained: say so, and
  /// close once the client has the text of what was taken.
  std::function<void()> on_drain;
  /// Called at most once, on the server's thread, when the client has been quiet for too long or
  /// another needs its slot: say `why` and close; the session may be resumed.
  std::function<void(const char* why)> on_quiet;
  /// When there was last any audio of the client, or news for it; kept by the socket.
  MonoTime active_at = SystemClock().Now();
  /// The client did not read; counted.
  virtual void OnSlowReader() = 0;
};

}  // namespace headroom::net
