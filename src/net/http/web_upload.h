// A transcription's form on its way in: the recording goes to a file, the fields are read, and what
// is wrong is known as early as it can be. No sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/http/multipart.h"
#include "net/http/transcription_form.h"
#include "net/http/upload_file.h"
#include "net/http/web_error.h"

namespace headroom::net {

class UploadForm {
 public:
  UploadForm(const std::string& boundary, bool translate, UploadFile into);
  UploadForm(const UploadForm&) = delete;
  UploadForm& operator=(const UploadForm&) = delete;

  /// The next bytes of the body, in any pieces.
  std::optional<WebError> Feed(std::string_view bytes);
  /// The body is over: what is missing. `models`: those that may be asked for.
  std::optional<WebError> Finish(const std::vector<ServedModel>& models);
  /// Fewer bytes a second than that, if all of it took so long.
  bool SlowerThan(std::int64_t bytes_per_second, Milliseconds took) const;
  MonoTime began() const { return began_; }

  const TranscriptionForm& form() const { return form_.form(); }
  Bytes size() const { return file_.size(); }  // of the recording
  /// The recording, set to its begin. Call once.
  Result<Fd> Take() { return file_.Take(); }

 private:
  FormSink Sink();
  Result<> OnPart(const FormPart& part);
  Result<> OnBytes(std::string_view bytes);
  Result<> OnPartEnd();
  std::unexpected<Error> Wrong(WebError error);

  FormReader form_;
  UploadFile file_;
  MultipartReader reader_;
  std::string name_, value_;  // of the part that is being read
  bool in_file_ = false, has_file_ = false;
  std::optional<WebError> wrong_;  // why the reader was stopped
  std::int64_t received_ = 0;
  const MonoTime began_ = SystemClock().Now();
};

}  // namespace headroom::net
