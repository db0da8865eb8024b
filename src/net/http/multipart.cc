#include "net/http/multipart.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace headroom::net {
namespace {

constexpr std::size_t kMostParts = 64;
constexpr std::size_t kMostHeader = 8192;
constexpr std::size_t kMostPreamble = 8192;
constexpr std::size_t kMostBoundary = 70;  // RFC 2046
constexpr std::string_view kLine = "\r\n";

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool SameWord(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, Lower, Lower);
}

// "; name=value; other=\"quoted\"" after the first word of a header. nullopt: malformed.
struct Parameters {
  std::optional<std::string> name, boundary;
  bool filename = false;
};
std::optional<Parameters> ParseParameters(std::string_view text) {
  Parameters found;
  while (!(text = Trim(text)).empty()) {
    if (text.front() != ';') return std::nullopt;
    text = Trim(text.substr(1));
    if (text.empty()) break;
    const std::size_t equals = text.find_first_of("=;");
    if (equals == std::string_view::npos || text[equals] != '=') return std::nullopt;
    const std::string_view key = Trim(text.substr(0, equals));
    text = Trim(text.substr(equals + 1));
    std::string value;
    if (text.starts_with('"')) {
      std::size_t at = 1;
      for (; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\' && at + 1 < text.size()) ++at;
        value += text[at];
      }
      if (at >= text.size()) return std::nullopt;
      text.remove_prefix(at + 1);
    } else {
      const std::size_t end = std::min(text.find(';'), text.size());
      value = Trim(text.substr(0, end));
      text.remove_prefix(end);
    }
    // The first of a name counts; a second one would let two readers see two forms.
    if (SameWord(key, "name")) {
      if (found.name) return std::nullopt;
      found.name = std::move(value);
    } else if (SameWord(key, "boundary")) {
      if (found.boundary) return std::nullopt;
      found.boundary = std::move(value);
    } else if (SameWord(key, "filename") || SameWord(key, "filename*")) {
      found.filename = true;
    }
  }
  return found;
}

// The word before the first parameter; the rest stays in `text`.
std::string_view TakeWord(std::string_view& text) {
  const std::size_t end = std::min(text.find(';'), text.size());
  const std::string_view word = Trim(text.substr(0, end));
  text.remove_prefix(end);
  return word;
}

Result<FormPart> ParsePartHeader(std::string_view header) {
  std::optional<FormPart> part;
  while (!header.empty()) {
    const std::size_t end = std::min(header.find(kLine), header.size());
    const std::string_view line = header.substr(0, end);
    header.remove_prefix(std::min(header.size(), end + kLine.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos)
      return Fail(Errc::kInvalid, "a part of the form has a header line without a colon");
    if (!SameWord(Trim(line.substr(0, colon)), "content-disposition")) continue;
    std::string_view value = line.substr(colon + 1);
    if (part || !SameWord(TakeWord(value), "form-data"))
      return Fail(Errc::kInvalid, "a part of the form is not form-data");
    auto parameters = ParseParameters(value);
    if (!parameters || !parameters->name || parameters->name->empty())
      return Fail(Errc::kInvalid, "a part of the form has no name");
    part = FormPart{std::move(*parameters->name), parameters->filename};
  }
  if (!part) return Fail(Errc::kInvalid, "a part of the form has no Content-Disposition");
  return std::move(*part);
}

}  // namespace

Result<std::string> MultipartReader::BoundaryOf(std::string_view content_type) {
  if (!SameWord(TakeWord(content_type), "multipart/form-data"))
    return Fail(Errc::kInvalid, "the body has to be multipart/form-data");
  auto parameters = ParseParameters(content_type);
  if (!parameters || !parameters->boundary || parameters->boundary->empty() ||
      parameters->boundary->size() > kMostBoundary ||
      parameters->boundary->find_first_of("\r\n") != std::string::npos)
    return Fail(Errc::kInvalid, "multipart/form-data without a usable boundary");
  return std::move(*parameters->boundary);
}

MultipartReader::MultipartReader(const std::string& boundary, FormSink sink)
    : delimiter_("\r\n--" + boundary), sink_(std::move(sink)), held_(kLine) {}

Result<> MultipartReader::Feed(std::string_view bytes) {
  if (state_ == State::kEnd) return {};  // an epilogue says nothing
  held_ += bytes;
  for (;;) {
    TRY_ASSIGN(const bool more, Step());
    if (!more) return {};
  }
}

Result<> MultipartReader::Finish() const {
  if (state_ == State::kEnd) return {};
  return Fail(Errc::kInvalid, "the form ends before its last boundary");
}

Result<bool> MultipartReader::Step() {
  switch (state_) {
    case State::kPreamble: {
      const std::size_t at = held_.find(delimiter_);
      if (at == std::string::npos) {
        if (held_.size() > kMostPreamble)
          return Fail(Errc::kInvalid, "the body does not begin with its boundary");
        return false;
      }
      held_.erase(0, at + delimiter_.size());
      state_ = State::kAfterBoundary;
      return true;
    }
    case State::kAfterBoundary: {
      if (held_.size() < 2) return false;
      if (held_.starts_with("--")) {
        state_ = State::kEnd;
        held_.clear();
        return false;
      }
      // Blanks may stand between a boundary and its line's end.
      const std::size_t at = held_.find_first_not_of(" \t");
      if (at == std::string::npos || at + 1 >= held_.size()) {
        if (held_.size() > kMostHeader) return Fail(Errc::kInvalid, "a boundary without an end");
        return false;
      }
      if (held_.compare(at, 2, kLine) != 0)
        return Fail(Errc::kInvalid, "a boundary of the form is not alone on its line");
      held_.erase(0, at);  // the CRLF stays: a header without lines ends at once
      state_ = State::kHeader;
      return true;
    }
    case State::kHeader:
      return ReadHeader();
    case State::kBody:
      return ReadBody();
    case State::kEnd:
      return false;
  }
  return false;
}

Result<bool> MultipartReader::ReadHeader() {
  const std::size_t end = held_.find("\r\n\r\n");
  if (std::min(end, held_.size()) > kMostHeader)
    return Fail(Errc::kInvalid, "a part of the form has a header of more than {} bytes",
                kMostHeader);
  if (end == std::string::npos) return false;
  if (++parts_ > kMostParts)
    return Fail(Errc::kInvalid, "the form has more than {} parts", kMostParts);
  TRY_ASSIGN(const FormPart part,
             ParsePartHeader(std::string_view(held_).substr(2, end < 2 ? 0 : end - 2)));
  held_.erase(0, end + 2);  // one CRLF stays: the body may be empty and end right there
  TRY(sink_.on_part(part));
  state_ = State::kBody;
  body_began_ = false;
  return true;
}

Result<bool> MultipartReader::ReadBody() {
  const std::size_t at = held_.find(delimiter_);
  const std::size_t skip = body_began_ ? 0 : kLine.size();  // the header's
  if (at == std::string::npos) {
    // All but what may be the begin of a delimiter.
    const std::size_t safe =
        held_.size() < delimiter_.size() ? 0 : held_.size() - delimiter_.size() + 1;
    if (safe <= skip) return false;
    body_began_ = true;
    TRY(sink_.on_bytes(std::string_view(held_).substr(skip, safe - skip)));
    held_.erase(0, safe);
    return false;
  }
  if (at > skip) TRY(sink_.on_bytes(std::string_view(held_).substr(skip, at - skip)));
  held_.erase(0, at + delimiter_.size());
  TRY(sink_.on_part_end());
  state_ = State::kAfterBoundary;
  return true;
}

}  // namespace headroom::net
