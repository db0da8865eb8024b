// Errors as OpenAI's clients expect them. Pure.
#pragma once

#include <string>

#include "base/error.h"
#include "net/server/http_exchange.h"
#include "net/server/speech_service.h"

namespace headroom::net {

struct WebError {
  unsigned status = 400;  // of HTTP
  std::string message;    // one line for a person
  std::string type = "invalid_request_error";
  std::string param;          // the field that is wrong; "" : none
  std::string code;           // stable, for programs; "" : none
  int retry_after_s = 0;      // 0: asking again will not help
  std::string allow;          // of 405
  bool authenticate = false;  // of 401

  /// {"error": {"message", "type", "param", "code"}}
  std::string Json() const;
};

HttpAnswer ToAnswer(const WebError& error);

/// The client is at fault.
WebError BadRequest(unsigned status, std::string code, std::string message);
/// `seconds` from 1 to 60 in place of how long the service thinks that it will take.
int RetryAfterSeconds(const ServiceState& state);
/// The service takes nothing now.
WebError NotReady(const ServiceState& state);
/// What became of a recording.
WebError FromService(const Error& error, const ServiceState& state);
/// What manages the service failed; `status` of HTTP.
WebError FromControl(const Error& error, unsigned status, const ServiceState& state);
/// A field of the request.
WebError BadField(std::string param, std::string message, std::string code = "invalid_value");

}  // namespace headroom::net
