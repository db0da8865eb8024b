// multipart/form-data (RFC 7578, RFC 2046 5.1) as a stream: a file of any size passes through and
// only a boundary's length of it is held. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace headroom::net {

struct FormPart {
  std::string name;
  bool is_file = false;  // it has a file name; which one does not matter to anybody
};

/// What a form is given to. An error ends the reading and is what Feed returns.
struct FormSink {
  std::function<Result<>(const FormPart&)> on_part;
  std::function<Result<>(std::string_view)> on_bytes;  // of the last part; any number of times
  std::function<Result<>()> on_part_end;
};

class MultipartReader {
 public:
  /// The boundary in a Content-Type; kInvalid when it is not multipart/form-data or has none.
  static Result<std::string> BoundaryOf(std::string_view content_type);

  MultipartReader(const std::string& boundary, FormSink sink);

  /// The next bytes of the body, cut anywhere. kInvalid: not a form, or more parts or longer part
  /// headers than anybody needs. After an error nothing more may be fed.
  Result<> Feed(std::string_view bytes);
  /// kInvalid when the last boundary has not come.
  Result<> Finish() const;

 private:
  enum class State { kPreamble, kAfterBoundary, kHeader, kBody, kEnd };

  Result<bool> Step();  // false: needs more bytes
  Result<bool> ReadBody();
  Result<bool> ReadHeader();

  const std::string delimiter_;  // CRLF, two dashes, boundary
  const FormSink sink_;
  State state_ = State::kPreamble;
  std::string held_;  // not consumed yet; begins with a CRLF that is ours before the first boundary
  bool body_began_ = false;  // false: held_ begins with the header's last CRLF
  std::size_t parts_ = 0;
};

}  // namespace headroom::net
