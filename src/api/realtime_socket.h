// The door from the HTTP server to the realtime WebSocket. Only for the two files that speak Beast.
#pragma once

#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <functional>
#include <memory>

#include "api/speech_service.h"
#include "base/clock.h"

namespace headroom::api {

/// A place among the server's connections, given back by the destructor. Keep it for as long as the
/// socket is open; destroy it on the server's thread.
class Seat {
 public:
  virtual ~Seat() = default;
  /// Called once, on the server's thread, when the server ends or the client's token is revoked:
  /// say goodbye and close, within half a second. Handlers that are still waiting then are
  /// destroyed without a call.
  std::function<void()> on_end;
  /// Called at most once, on the server's thread, when the service is being drained: say so, and
  /// close once the client has the text of what was taken.
  std::function<void()> on_drain;
  /// Called at most once, on the server's thread, when the client has been quiet for too long or
  /// its place is wanted: say `why` and close; the session may be resumed.
  std::function<void(const char* why)> on_quiet;
  /// When there was last any audio of the client, or news for it; kept by the socket.
  MonoTime active_at = SystemClock().Now();
  /// The client did not read; counted.
  virtual void OnSlowReader() = 0;
};

/// Takes over a connection whose request asks for a WebSocket on /v1/realtime and has passed every
/// check (token, Host, Origin). Nothing after the request has been read. Called on the server's
/// thread, which is the only one that runs the stream's executor; must not block. A token that a
/// browser sent came as the subprotocol "openai-insecure-api-key.TOKEN" beside "realtime": answer
/// "realtime".
using RealtimeRequest = boost::beast::http::request<boost::beast::http::empty_body>;
void ServeRealtime(boost::beast::tcp_stream&& stream, RealtimeRequest&& request,
                   SpeechService& service, std::unique_ptr<Seat> seat);

}  // namespace headroom::api
