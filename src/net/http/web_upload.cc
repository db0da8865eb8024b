#include "net/http/web_upload.h"

#include <utility>

#include "base/text.h"

namespace headroom::net {
namespace {

constexpr std::size_t kMostField = 64 << 10;

WebError NotAForm(const Error& why) {
  WebError error;
  error.message = why.what;
  error.code = "malformed";
  return error;
}

}  // namespace

UploadForm::UploadForm(const std::string& boundary, bool translate, UploadFile into)
    : form_(translate), file_(std::move(into)), reader_(boundary, Sink()) {}

std::optional<WebError> UploadForm::Feed(std::string_view bytes) {
  received_ += static_cast<std::int64_t>(bytes.size());
  const auto fed = reader_.Feed(bytes);
  if (fed) return std::nullopt;
  return wrong_ ? *wrong_ : NotAForm(fed.error());
}

std::optional<WebError> UploadForm::Finish(const std::vector<ServedModel>& models) {
  if (const auto whole = reader_.Finish(); !whole) return NotAForm(whole.error());
  if (auto bad = form_.Finish(models)) return bad;
  if (has_file_ && file_.size().n > 0) return std::nullopt;
  return BadField("file", has_file_ ? "the file is empty" : "there is no file", "invalid_file");
}

bool UploadForm::SlowerThan(std::int64_t bytes_per_second, Milliseconds took) const {
  return received_ < took.count() * bytes_per_second / 1000;
}

FormSink UploadForm::Sink() {
  return {[this](const FormPart& part) { return OnPart(part); },
          [this](std::string_view bytes) { return OnBytes(bytes); },
          [this] { return OnPartEnd(); }};
}

Result<> UploadForm::OnPart(const FormPart& part) {
  name_ = part.name;
  value_.clear();
  in_file_ = name_ == "file";
  if (!in_file_) return {};
  if (std::exchange(has_file_, true))
    return Wrong(BadField("file", "file came twice", "duplicate"));
  if (!part.is_file)
    return Wrong(BadField("file", "file has to be a file: filename is missing", "invalid_file"));
  return {};
}

Result<> UploadForm::OnBytes(std::string_view bytes) {
  if (in_file_) {
    auto kept = file_.Append(bytes);
    if (kept) return {};
    WebError error = BadField("file", kept.error().what, std::string(Name(kept.error().code)));
    error.status = kept.error().code == Errc::kUnsupported ? 413 : 507;
    if (error.status == 507) error.type = "server_error";
    return Wrong(std::move(error));
  }
  if (value_.size() + bytes.size() > kMostField)
    return Wrong(BadField(Printable(name_).substr(0, 100), "the field is too long", "too_long"));
  value_ += bytes;
  return {};
}

Result<> UploadForm::OnPartEnd() {
  if (in_file_) return {};
  if (auto bad = form_.Add(name_.substr(0, 200), value_)) return Wrong(std::move(*bad));
  return {};
}

std::unexpected<Error> UploadForm::Wrong(WebError error) {
  wrong_ = std::move(error);
  return Fail(Errc::kInvalid, "{}", wrong_->message);
}

}  // namespace headroom::net
