// One HTTP GET by libcurl, without following redirects, streaming, and stoppable at any moment.
// The proxy comes from the usual variables (HTTPS_PROXY, NO_PROXY, …), the certificates from the
// system, or from SSL_CERT_FILE or CURL_CA_BUNDLE.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"

namespace headroom::models {

struct HttpRequest {
  std::string url;                   // http or https
  std::vector<std::string> headers;  // "Range: bytes=5-"
};

struct HttpLimits {
  Milliseconds answer{5000};    // to connect, and from the request to the first answer
  Milliseconds stall{30000};    // in each such span of time …
  Bytes stall_bytes = KiB(16);  // … at least so much has to come
};

struct HttpHead {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; of the last answer
  std::string redirect;                        // absolute address when status is 3xx

  /// "" when there is none.
  const std::string& Header(const std::string& name) const;
};

enum class HttpEnd {
  kComplete,  // the whole answer came; its status may still be an error
  kNoAnswer,  // not found, refused, or silent
  kBroken,    // ended in the middle
  kStalled,   // too slow
  kStopped,   // by the cancel token or by a callback
  kRefused,   // certificate, bad address: trying again is useless
};

struct HttpResult {
  HttpEnd end = HttpEnd::kComplete;
  HttpHead head;
  Error error;  // set unless kComplete
};

struct HttpHandler {
  /// Once, before the first byte of a 2xx answer's body, or at its end when it has none.
  std::function<Result<>(const HttpHead&)> on_head;
  /// For 2xx answers only.
  std::function<Result<>(std::span<const std::byte>)> on_body;
};

/// Blocks; any thread. `cancel` may be null.
HttpResult HttpGet(const HttpRequest& request, const HttpHandler& handler, const HttpLimits& limits,
                   CancelToken* cancel);

/// "scheme://host:port" of an address, the default port written out; "" for what is no address.
std::string Origin(const std::string& url);

}  // namespace headroom::models
