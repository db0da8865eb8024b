#include "net/realtime/realtime_settings.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.h"

namespace headroom::net {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestPrompt = 4096;
constexpr std::size_t kLongestName = 200;
constexpr std::int64_t kLongestPadding = 5'000;
constexpr std::int64_t kLeastSilence = 100, kLongestSilence = 6'000;

// An object of an update. Fields are asked for one by one; the first thing that is wrong stays, and
// nothing is asked for after it.
class Fields {
 public:
  Fields(const json& object, std::string path, std::optional<EventError>& wrong)
      : object_(object), path_(std::move(path)), wrong_(wrong) {
    if (!object.is_object()) Wrong("", "invalid_type", "has to be an object");
  }

  // nullptr: not there. JSON's null is there.
  const json* Find(const std::string& name) {
    known_.push_back(name);
    if (wrong_ || !object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }

  // Of no meaning here, and part of what OpenAI's clients send.
  void Skip(std::initializer_list<const char*> names) {
    for (const char* const name : names) known_.emplace_back(name);
  }

  void Text(const std::string& name, std::string& into, std::size_t longest) {
    const json* const value = Find(name);
    if (!value) return;
    if (value->is_null()) return into.clear();
    if (!value->is_string()) return Wrong(name, "invalid_type", "has to be text");
    const auto& text = value->get_ref<const std::string&>();
    if (text.size() > longest)
      return Wrong(name, "string_above_max_length",
                   fmt::format("may have at most {} bytes", longest));
    into = text;
  }

  std::optional<std::string> OneOf(const std::string& name,
                                   const std::vector<std::string>& choices) {
    std::optional<std::string> chosen;
    if (const json* const value = Find(name); value && !value->is_null()) {
      if (!value->is_string())
        Wrong(name, "invalid_type", "has to be text");
      else if (std::ranges::find(choices, value->get_ref<const std::string&>()) == choices.end())
        Wrong(name, "invalid_value", fmt::format("has to be one of: {}", fmt::join(choices, ", ")));
      else
        chosen = value->get<std::string>();
    }
    return chosen;
  }

  void Whole(const std::string& name, std::int64_t low, std::int64_t high, Milliseconds& into) {
    const json* const value = Find(name);
    if (!value || value->is_null()) return;
    if (!value->is_number_integer()) return Wrong(name, "invalid_type", "has to be a whole number");
    if (*value < low)
      return Wrong(name, "integer_below_min_value", fmt::format("has to be at least {}", low));
    if (*value > high)
      return Wrong(name, "integer_above_max_value", fmt::format("may be at most {}", high));
    into = Milliseconds(value->get<std::int64_t>());
  }

  void Share(const std::string& name, double& into) {
    const json* const value = Find(name);
    if (!value || value->is_null()) return;
    if (!value->is_number()) return Wrong(name, "invalid_type", "has to be a number");
    const auto number = value->get<double>();
    if (number < 0) return Wrong(name, "decimal_below_min_value", "has to be at least 0");
    if (number > 1) return Wrong(name, "decimal_above_max_value", "may be at most 1");
    into = number;
  }

  Fields In(const std::string& name, const json& object) { return {object, Path(name), wrong_}; }

  void Wrong(const std::string& name, std::string code, const std::string& what) {
    if (!wrong_) wrong_ = EventError{std::move(code), Path(name), Path(name) + " " + what};
  }

  // After all fields were asked for.
  void Done() {
    if (wrong_) return;
    for (const auto& [name, value] : object_.items()) {
      if (std::ranges::find(known_, name) != known_.end()) continue;
      const auto near = NearestNames(name, known_, 1);
      Wrong(Printable(name.substr(0, kLongestName)), "unknown_parameter",
            near.empty() ? "is not known here"
                         : fmt::format("is not known; is it {}?", near.front()));
      return;
    }
  }

 private:
  std::string Path(const std::string& name) const {
    return name.empty() ? path_ : path_ + "." + name;
  }

  const json& object_;
  const std::string path_;
  std::optional<EventError>& wrong_;
  std::vector<std::string> known_;
};

void ReadFormat(Fields& in, const json& value, RealtimeSettings& settings) {
  Fields format = in.In("format", value);
  ClientFormat wanted;
  const auto type = format.OneOf("type", {"audio/pcm", "audio/pcmu", "audio/pcma"});
  const json* const rate = format.Find("rate");
  if (type == "audio/pcmu") wanted = {ClientFormat::Coding::kUlaw, 8'000};
  if (type == "audio/pcma") wanted = {ClientFormat::Coding::kAlaw, 8'000};
  if (rate && !rate->is_null()) {
    const bool pcm = wanted.coding == ClientFormat::Coding::kPcm16;
    const std::vector<int> rates =
        pcm ? std::vector<int>(std::begin(kClientRates), std::end(kClientRates))
            : std::vector{8'000};
    if (!rate->is_number_integer())
      format.Wrong("rate", "invalid_type", "has to be a whole number");
    else if (std::ranges::none_of(rates, [&](int known) { return *rate == known; }))
      format.Wrong("rate", "invalid_value",
                   fmt::format("has to be one of: {}", fmt::join(rates, ", ")));
    else
      wanted.rate = rate->get<int>();
  }
  format.Done();
  settings.format = wanted;
}

void ReadTranscription(Fields& in, const std::string& name, const json& value,
                       RealtimeSettings& settings) {
  if (value.is_null()) {
    settings.model = settings.language = settings.prompt = "";
    return;
  }
  Fields transcription = in.In(name, value);
  transcription.Text("model", settings.model, kLongestName);
  transcription.Text("language", settings.language, kLongestName);
  transcription.Text("prompt", settings.prompt, kLongestPrompt);
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  if (!settings.language.empty() &&
      !(settings.language.size() == 2 && std::ranges::all_of(settings.language, lower)))
    transcription.Wrong("language", "invalid_value",
                        "has to be a language of ISO 639-1, such as \"en\"");
  transcription.Skip({"delay", "keywords", "languages"});
  transcription.Done();
}

void ReadTurns(Fields& in, const json& value, RealtimeSettings& settings) {
  if (value.is_null()) {
    settings.turns.reset();
    return;
  }
  Fields detection = in.In("turn_detection", value);
  detection.OneOf("type", {"server_vad"});
  TurnDetection turns = settings.turns.value_or(TurnDetection{});
  detection.Share("threshold", turns.threshold);
  detection.Whole("prefix_padding_ms", 0, kLongestPadding, turns.prefix_padding);
  detection.Whole("silence_duration_ms", kLeastSilence, kLongestSilence, turns.silence);
  detection.Skip({"create_response", "interrupt_response", "idle_timeout_ms"});
  detection.Done();
  settings.turns = turns;
}

void ReadCurrent(Fields& session, RealtimeSettings& settings) {
  if (!session.Find("type")) session.Wrong("type", "missing_required_parameter", "is missing");
  session.OneOf("type", {"transcription"});
  if (const json* const audio = session.Find("audio")) {
    Fields both = session.In("audio", *audio);
    if (const json* const input = both.Find("input")) {
      Fields in = both.In("input", *input);
      if (const json* const value = in.Find("format")) ReadFormat(in, *value, settings);
      if (const json* const value = in.Find("transcription"))
        ReadTranscription(in, "transcription", *value, settings);
      if (const json* const value = in.Find("turn_detection")) ReadTurns(in, *value, settings);
      in.Skip({"noise_reduction"});
      in.Done();
    }
    both.Done();
  }
  session.Skip({"id", "object", "expires_at", "include"});
  session.Done();
}

void ReadBeta(Fields& session, RealtimeSettings& settings) {
  const auto coding = session.OneOf("input_audio_format", {"pcm16", "g711_ulaw", "g711_alaw"});
  if (coding == "pcm16") settings.format = {};
  if (coding == "g711_ulaw") settings.format = {ClientFormat::Coding::kUlaw, 8'000};
  if (coding == "g711_alaw") settings.format = {ClientFormat::Coding::kAlaw, 8'000};
  if (const json* const value = session.Find("input_audio_transcription"))
    ReadTranscription(session, "input_audio_transcription", *value, settings);
  if (const json* const value = session.Find("turn_detection"))
    ReadTurns(session, *value, settings);
  session.Skip({"id", "object", "expires_at", "include", "client_secret", "modalities",
                "input_audio_noise_reduction"});
  // Of a conversation: programs made for one use this spelling too.
  session.Skip({"instructions", "max_response_output_tokens", "model", "output_audio_format",
                "speed", "temperature", "tool_choice", "tools", "tracing", "voice"});
  session.Done();
}

json OrNull(const std::string& text) {
  return text.empty() ? json() : json(text);
}

json TurnsJson(const std::optional<TurnDetection>& turns) {
  if (!turns) return nullptr;
  return {{"type", "server_vad"},
          {"threshold", turns->threshold},
          {"prefix_padding_ms", turns->prefix_padding.count()},
          {"silence_duration_ms", turns->silence.count()}};
}

}  // namespace

StreamOptions RealtimeSettings::ForStream() const {
  StreamOptions options;
  options.request.model = ServiceModel(model);
  options.request.language = language;
  options.request.prompt = prompt;
  options.turns = turns;
  return options;
}

std::expected<RealtimeSettings, EventError> Apply(const json& session, Spelling spelling,
                                                  RealtimeSettings settings) {
  std::optional<EventError> wrong;
  Fields fields(session, "session", wrong);
  if (spelling == Spelling::kCurrent)
    ReadCurrent(fields, settings);
  else
    ReadBeta(fields, settings);
  if (wrong) return std::unexpected(*std::move(wrong));
  return settings;
}

json SessionJson(const RealtimeSettings& settings, Spelling spelling, const std::string& id) {
  const bool ulaw = settings.format.coding == ClientFormat::Coding::kUlaw;
  const bool pcm = settings.format.coding == ClientFormat::Coding::kPcm16;
  const json transcription = {{"model", OrNull(settings.model)},
                              {"language", OrNull(settings.language)},
                              {"prompt", OrNull(settings.prompt)}};
  json session = {{"id", id}, {"object", "realtime.transcription_session"}};
  if (spelling == Spelling::kBeta) {
    session["input_audio_format"] = pcm ? "pcm16" : ulaw ? "g711_ulaw" : "g711_alaw";
    session["input_audio_transcription"] = transcription;
    session["input_audio_noise_reduction"] = nullptr;
    session["turn_detection"] = TurnsJson(settings.turns);
    return session;
  }
  json format = {{"type", pcm ? "audio/pcm" : ulaw ? "audio/pcmu" : "audio/pcma"}};
  if (pcm) format["rate"] = settings.format.rate;
  session["type"] = "transcription";
  session["audio"]["input"] = {{"format", std::move(format)},
                               {"transcription", transcription},
                               {"noise_reduction", nullptr},
                               {"turn_detection", TurnsJson(settings.turns)}};
  return session;
}

std::string ServiceModel(const std::string& model) {
  const bool openai = model == "whisper-1" || model.starts_with("gpt-");
  return openai ? "" : model;
}

}  // namespace headroom::net
