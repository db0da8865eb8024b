#include "net/http/web_error.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "net/control/json_text.h"

namespace headroom::net {

std::string WebError::Json() const {
  const auto text = [](const std::string& value) {
    return value.empty() ? nlohmann::json() : nlohmann::json(value);
  };
  return Dump({{"error",
                {{"message", message},
                 {"type", type},
                 {"param", text(param)},
                 {"code", text(code)}}}}) +
         '\n';
}

HttpAnswer ToAnswer(const WebError& error) {
  HttpAnswer answer{.status = error.status, .body = error.Json()};
  if (error.retry_after_s > 0)
    answer.fields.emplace_back("Retry-After", std::to_string(error.retry_after_s));
  if (!error.allow.empty()) answer.fields.emplace_back("Allow", error.allow);
  if (error.status == 426) answer.fields.emplace_back("Upgrade", "websocket");
  if (error.authenticate) answer.fields.emplace_back("WWW-Authenticate", "Bearer");
  return answer;
}

int RetryAfterSeconds(const ServiceState& state) {
  const Milliseconds wait = std::max(state.retry_after, state.queue);
  const auto seconds = (wait + Milliseconds(999)) / Milliseconds(1000);
  return static_cast<int>(std::clamp<std::int64_t>(seconds, 1, 60));
}

WebError NotReady(const ServiceState& state) {
  WebError error;
  error.status = 503;
  error.message =
      state.reason.empty() ? "the service takes nothing at the moment" : Printable(state.reason);
  error.type = "server_error";
  error.code = "not_ready";
  error.retry_after_s = RetryAfterSeconds(state);
  return error;
}

WebError FromService(const Error& failed, const ServiceState& state) {
  WebError error;
  error.message = Printable(failed.what);
  error.code = Name(failed.code);
  switch (failed.code) {
    case Errc::kInvalid:
    case Errc::kCorrupt:
    case Errc::kUnsupported:
    case Errc::kChecksum:
      error.status = 400;
      error.param = "file";
      return error;
    case Errc::kNotFound:
      error.status = 404;
      error.param = "model";
      error.code = "model_not_found";
      return error;
    case Errc::kBusy:
      error.status = 429;
      error.type = "rate_limit_error";
      error.retry_after_s = RetryAfterSeconds(state);
      return error;
    case Errc::kNoMemory:
    case Errc::kWorkerLost:
    case Errc::kCancelled:
      error.status = 503;
      error.retry_after_s = RetryAfterSeconds(state);
      break;
    case Errc::kNoSpace:
      error.status = 507;
      break;
    case Errc::kTimeout:
      error.status = 504;
      break;
    default:
      error.status = 500;
  }
  error.type = "server_error";
  return error;
}

WebError FromControl(const Error& failed, unsigned status, const ServiceState& state) {
  WebError error;
  error.status = status;
  error.message = Printable(failed.what);
  error.code = Name(failed.code);
  if (status >= 500) error.type = "server_error";
  if (status == 503 || status == 409) error.retry_after_s = RetryAfterSeconds(state);
  return error;
}

WebError BadRequest(unsigned status, std::string code, std::string message) {
  WebError error;
  error.status = status;
  error.message = std::move(message);
  error.code = std::move(code);
  return error;
}

WebError BadField(std::string param, std::string message, std::string code) {
  WebError error;
  error.message = std::move(message);
  error.param = std::move(param);
  error.code = std::move(code);
  return error;
}

}  // namespace headroom::net
