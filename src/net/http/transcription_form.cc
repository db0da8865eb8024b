#include "net/http/transcription_form.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace headroom::net {
namespace {

const std::vector<std::string> kKnown = {"file",        "model",       "language",
                                         "prompt",      "punctuation", "response_format",
                                         "stream",      "temperature", "timestamp_granularities[]",
                                         "translate_to"};

std::optional<AnswerFormat> FormatOf(std::string_view name) {
  if (name == "json") return AnswerFormat::kJson;
  if (name == "text") return AnswerFormat::kText;
  if (name == "srt") return AnswerFormat::kSrt;
  if (name == "vtt") return AnswerFormat::kVtt;
  if (name == "verbose_json") return AnswerFormat::kVerboseJson;
  return std::nullopt;
}

bool IsLanguage(std::string_view text) {
  return (text.size() == 2 || text.size() == 3) &&
         std::ranges::all_of(text, [](char c) { return c >= 'a' && c <= 'z'; });
}

std::optional<bool> ParseFlag(std::string_view text) {
  if (text == "true" || text == "True" || text == "1") return true;
  if (text == "false" || text == "False" || text == "0") return false;
  return std::nullopt;
}

bool IsTemperature(std::string_view text) {
  double value = -1;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
  return err == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 1;
}

}  // namespace

std::optional<WebError> FormReader::Add(std::string_view name, std::string_view value) {
  const bool list = name.ends_with("[]");
  if (!list && std::ranges::find(seen_, name) != seen_.end())
    return BadField(Printable(name), fmt::format("{} came twice", Printable(name)), "duplicate");
  seen_.emplace_back(name);
  if (name == "model") {
    form_.request.model = value;
  } else if (name == "language" || name == "translate_to") {
    if (!value.empty() && !IsLanguage(value))
      return BadField(Printable(name),
                      fmt::format("\"{}\" is not an ISO 639-1 code like \"en\"", Printable(value)),
                      "invalid_language_format");
    (name == "language" ? form_.request.language : form_.request.translate_to) = value;
  } else if (name == "punctuation") {
    const auto wanted = ParseFlag(value);
    if (!wanted) return BadField("punctuation", "punctuation is true or false");
    form_.request.unpunctuated = !*wanted;
  } else if (name == "prompt") {
    form_.request.prompt = Printable(value);
  } else if (name == "response_format") {
    const auto format = FormatOf(value);
    if (!format)
      return BadField("response_format", "response_format is json, text, srt, vtt or verbose_json");
    form_.format = *format;
  } else if (name == "stream") {
    const auto wanted = ParseFlag(value);
    if (!wanted) return BadField("stream", "stream is true or false");
    form_.stream = *wanted;
  } else if (name == "temperature") {
    if (!IsTemperature(value)) return BadField("temperature", "temperature is from 0 to 1");
  } else if (name == "timestamp_granularities[]") {
    if (value != "word" && value != "segment")
      return BadField("timestamp_granularities[]", "timestamp_granularities[] is word or segment");
    (value == "word" ? form_.words : segments_) = true;
  } else if (name == "chunking_strategy" || name.starts_with("chunking_strategy[")) {
    // Whatever it says: recordings are cut at pauses.
  } else {
    const auto near = NearestNames(name, kKnown, 1);
    return BadField(Printable(name),
                    near.empty() ? fmt::format("there is no field \"{}\"; known: {}",
                                               Printable(name), fmt::join(kKnown, ", "))
                                 : fmt::format("there is no field \"{}\"; did you mean \"{}\"?",
                                               Printable(name), near.front()),
                    "unknown_parameter");
  }
  return std::nullopt;
}

std::optional<WebError> FormReader::Finish(const std::vector<ServedModel>& models) {
  std::string& model = form_.request.model;
  // OpenAI's own names mean whatever is loaded.
  if (model.starts_with("gpt-")) model = "whisper-1";
  if (!model.empty() && model != "whisper-1" &&
      std::ranges::none_of(models, [&](const auto& one) { return one.id == model; })) {
    WebError error =
        BadField("model",
                 fmt::format("there is no model \"{}\"; GET /v1/models has the list, and "
                             "\"whisper-1\" is whatever is loaded",
                             Printable(model)),
                 "model_not_found");
    error.status = 404;
    return error;
  }
  const bool granular = form_.words || segments_;
  if (granular && form_.format != AnswerFormat::kVerboseJson)
    return BadField("timestamp_granularities[]",
                    "timestamp_granularities[] goes with response_format verbose_json");
  if (form_.stream && form_.format != AnswerFormat::kJson && form_.format != AnswerFormat::kText)
    return BadField("stream", "stream goes with response_format json or text");
  form_.segments = segments_ || !form_.words;
  form_.request.word_times = form_.words;
  // A model that is asked for times may write other commas.
  form_.request.segment_times =
      form_.format != AnswerFormat::kJson && form_.format != AnswerFormat::kText;
  return std::nullopt;
}

}  // namespace headroom::net
