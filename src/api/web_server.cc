#include "api/web_server.h"

namespace headroom::api {

struct WebServer::Core {};

Result<std::unique_ptr<WebServer>> WebServer::Start(WebOptions options, SpeechService&) {
  return Fail(Errc::kUnsupported, "{}: there is no HTTP server yet", options.listen);
}
WebServer::~WebServer() = default;
std::uint16_t WebServer::port() const {
  return 0;
}
WebCounters WebServer::counters() const {
  return {};
}

}  // namespace headroom::api
