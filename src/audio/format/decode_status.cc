#include "audio/format/decode_status.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace headroom::audio {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxText = 300;

std::unexpected<Error> Nonsense() {
  return Fail(Errc::kProtocol, "the decoder sent a status line that makes no sense");
}

// A count of samples or milliseconds: an integer from 0 to 2^53.
std::optional<std::int64_t> Count(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
  const auto n = found->get<std::uint64_t>();
  if (n > std::uint64_t{1} << 53) return std::nullopt;
  return static_cast<std::int64_t>(n);
}

std::optional<std::string> Text(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return OneLine(found->get_ref<const std::string&>());
}

Json ToJson(const DecodeBegin& begin) {
  Json json = {{"status", "begin"}};
  if (begin.duration) json["duration_ms"] = begin.duration->count();
  return json;
}
Json ToJson(const DecodeWarning& warning) {
  return {{"status", "warning"}, {"text", OneLine(warning.text)}};
}
Json ToJson(const DecodeEnd& end) {
  return {{"status", "end"},
          {"samples", end.samples},
          {"non_finite", end.non_finite},
          {"truncated", end.truncated},
          {"detail", OneLine(end.detail)}};
}
Json ToJson(const Error& error) {
  return {{"status", "error"}, {"code", Name(error.code)}, {"what", OneLine(error.what)}};
}

Result<DecodeStatus> ParseEnd(const Json& json) {
  const auto samples = Count(json, "samples");
  const auto non_finite = Count(json, "non_finite");
  const auto truncated = json.find("truncated");
  const auto detail = Text(json, "detail");
  if (!samples || !non_finite || !detail || truncated == json.end() || !truncated->is_boolean())
    return Nonsense();
  return DecodeEnd{.samples = *samples,
                   .non_finite = *non_finite,
                   .truncated = truncated->get<bool>(),
                   .detail = *detail};
}

Result<DecodeStatus> ParseObject(const Json& json) {
  const auto status = Text(json, "status");
  if (status == "begin") {
    DecodeBegin begin;
    if (json.contains("duration_ms")) {
      const auto duration = Count(json, "duration_ms");
      if (!duration) return Nonsense();
      begin.duration = Milliseconds(*duration);
    }
    return begin;
  }
  if (status == "warning") {
    if (auto text = Text(json, "text")) return DecodeWarning{*text};
  }
  if (status == "end") return ParseEnd(json);
  if (status == "error") {
    const auto code = Text(json, "code"), what = Text(json, "what");
    if (code && what) return Error{ErrcFromName(*code), *what};
  }
  return Nonsense();
}

}  // namespace

std::string OneLine(std::string_view text) {
  std::string line = Printable(text.substr(0, kMaxText));
  std::replace_if(line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  if (line.size() > kMaxText) {
    // A replaced byte takes three; do not cut through one.
    std::size_t end = kMaxText;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
    line.resize(end);
  }
  return line;
}

std::string FormatDecodeStatus(const DecodeStatus& status) {
  const Json json = std::visit([](const auto& s) { return ToJson(s); }, status);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<DecodeStatus> ParseDecodeStatus(std::string_view line) {
  if (line.size() > kMaxStatusLine) return Nonsense();
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Nonsense();
  return ParseObject(json);
}

}  // namespace headroom::audio
