// A request's method, target and body to what is to be done: pure, so that any bytes can be tried.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "net/control/control.h"

namespace headroom::net {

/// Asks the service and has one answer.
using Call = std::function<void(ControlService&, Answer)>;

/// GET /v1/events. `only`: names of events; empty: all.
struct EventStream {
  std::vector<std::string> only;
};

/// POST /v1/yield: held until the client goes.
struct YieldStream {
  std::string who;
};

/// POST /v1/recognize: answered once there is text, given up when the client goes.
struct RecognizeStream {
  int fd = -1;                            // of the client
  std::shared_ptr<RecognizeRequest> how;  // without the audio; shared, since routes are copied
};

/// Not understood. `allow` is set for 405.
struct Refusal {
  Error error;
  unsigned status = 400;
  std::string allow;
};

using Route = std::variant<Call, EventStream, YieldStream, RecognizeStream, Refusal>;
Route FindRoute(std::string_view method, std::string_view target, std::string_view body);

/// The HTTP status for an error of the service.
unsigned HttpStatus(Errc code);
/// {"error": {"code": "busy", "message": "…"}}
nlohmann::json ErrorJson(const Error& error);
/// The inverse, for clients; kProtocol when it is none.
Error ErrorFromJson(const nlohmann::json& json);

/// One line of JSON, whatever bytes the texts hold.
std::string Dump(const nlohmann::json& json);
/// "id: 7\nevent: text\ndata: {…}\n\n"
std::string EventText(std::uint64_t id, std::string_view name, const nlohmann::json& data);

}  // namespace headroom::net
