#include "net/wyoming/wyoming.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>

#include "net/control/json_text.h"
#include "speech/text/words.h"

namespace headroom::net {
namespace {

using nlohmann::json;
using speech::JoinTexts;

// The client says when a command ends, so a pause for thought must not cut it: what belongs
// together is recognised better together. Only of long audio do the parts between pauses become
// text early.
constexpr Milliseconds kSilence{3000};
constexpr std::size_t kMostPrompt = 1000;   // bytes
constexpr std::size_t kMostText = 1 << 20;  // bytes, of one transcript

// "" when it is absent or null.
Result<std::string> Text(const WyomingEvent& event, const char* field) {
  const auto found = event.data.find(field);
  if (found == event.data.end() || found->is_null()) return std::string();
  if (!found->is_string()) return Fail(Errc::kInvalid, "{}: {}: not a text", event.type, field);
  return found->get<std::string>();
}

Result<int> Number(const WyomingEvent& event, const char* field) {
  const auto found = event.data.find(field);
  if (found == event.data.end() || !found->is_number_integer())
    return Fail(Errc::kInvalid, "{}: {}: not a whole number", event.type, field);
  const auto number = found->get<std::int64_t>();
  return static_cast<int>(std::clamp<std::int64_t>(number, -1, 1'000'000));
}

// "en-US" and "EN" are asked for as "en"; "auto" is for the model to find out.
std::string Language(std::string_view asked) {
  std::string language(asked.substr(0, asked.find_first_of("-_")));
  for (char& c : language) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return language == "auto" ? "" : language;
}

// Names go first: they count for more.
std::string Prompt(const WyomingEvent& event) {
  std::string prompt;
  for (const char* field : {"transcript_names", "transcript_terms"}) {
    const auto found = event.data.find(field);
    if (found == event.data.end() || !found->is_array()) continue;
    for (const json& word : *found) {
      if (!word.is_string()) continue;
      const std::string text = speech::OneLine(word.get<std::string>());
      if (text.empty() || prompt.size() + text.size() > kMostPrompt) continue;
      if (!prompt.empty()) prompt += ", ";
      prompt += text;
    }
  }
  return prompt;
}

// One sample, little endian: 8 bits have no sign, more have.
std::int32_t Sample(const unsigned char* at, int width) {
  if (width == 1) return (at[0] - 128) << 8;
  std::uint32_t bits = 0;  // at the top, so that the sign is where it belongs
  for (int i = 0; i < width; ++i)
    bits |= static_cast<std::uint32_t>(at[i]) << (8 * (4 - width + i));
  return std::bit_cast<std::int32_t>(bits) >> 16;
}

// Whole frames as one channel of 16 bits.
std::vector<std::uint8_t> Pcm16(std::string_view pcm, int width, int channels) {
  std::vector<std::uint8_t> mono(pcm.size() / static_cast<std::size_t>(width * channels) * 2);
  const auto* at = reinterpret_cast<const unsigned char*>(pcm.data());
  for (std::size_t i = 0; i < mono.size(); i += 2) {
    std::int32_t sum = 0;
    for (int c = 0; c < channels; ++c, at += width) sum += Sample(at, width);
    const std::int32_t sample = sum / channels;
    mono[i] = static_cast<std::uint8_t>(sample & 0xff);
    mono[i + 1] = static_cast<std::uint8_t>((sample >> 8) & 0xff);
  }
  return mono;
}

WyomingEvent ErrorEvent(const Error& error) {
  return {"error", {{"text", error.what}, {"code", Name(error.code)}}};
}

// `text` without what was already sent of it as `sent`, which may have been spelled otherwise.
std::string_view Rest(std::string_view text, std::string_view sent) {
  if (text.starts_with(sent)) return text.substr(sent.size());
  const std::size_t words = speech::Tokenise(sent).size();
  const auto tokens = speech::Tokenise(text);
  if (words == 0 || words >= tokens.size()) return words == 0 ? text : "";
  const auto& next = tokens[words];
  auto at = static_cast<std::size_t>(next.text.data() - text.data());
  while (at > 0 && text[at - 1] == ' ') --at;
  return text.substr(at);
}

}  // namespace

WyomingEvent WyomingInfo(const ServiceState& state, const std::string& version) {
  const json ours = {{"name", "Headroom"}, {"url", ""}};
  json models = json::array();
  for (const ServedModel& model : state.models) {
    // A client that lists languages offers no model without one.
    models.push_back({{"name", model.id},
                      {"description", model.id},
                      {"version", nullptr},
                      {"attribution", ours},
                      {"installed", true},
                      {"languages", model.languages.empty() ? std::vector<std::string>{"en"}
                                                            : model.languages}});
  }
  const json program = {{"name", "headroom"},
                        {"description", "Headroom: speech to text in bounded memory"},
                        {"version", version},
                        {"attribution", ours},
                        {"installed", true},
                        {"models", std::move(models)},
                        {"supports_transcript_streaming", true},
                        {"requires_external_vad", true}};
  json data = {{"asr", json::array({program})}};
  for (const char* other : {"tts", "handle", "intent", "wake", "mic", "snd"})
    data[other] = json::array();
  return {"info", std::move(data)};
}

WyomingStep WyomingSession::OnEvent(const WyomingEvent& event) {
  WyomingStep step;
  Result<> done;
  if (event.type == "describe") {
    step.describe = true;
  } else if (event.type == "ping") {
    const auto text = event.data.find("text");
    step.send.push_back({"pong", {{"text", text == event.data.end() ? json() : *text}}});
  } else if (event.type == "transcribe") {
    done = Transcribe(event);
  } else if (event.type == "audio-start") {
    done = Start(event, step);
  } else if (event.type == "audio-chunk") {
    done = Chunk(event, step);
  } else if (event.type == "audio-stop") {
    Stop(step);
  }  // others are for other kinds of programs, or newer than this one
  if (!done) return OnFailed(done.error());
  return step;
}

Result<> WyomingSession::Transcribe(const WyomingEvent& event) {
  if (open_) return Fail(Errc::kInvalid, "transcribe: the audio has begun already");
  SpeechRequest request;
  TRY_ASSIGN(request.model, Text(event, "name"));
  TRY_ASSIGN(const std::string language, Text(event, "language"));
  request.language = Language(language);
  request.prompt = Prompt(event);
  request_ = std::move(request);
  return {};
}

Result<WyomingSession::Format> WyomingSession::FormatOf(const WyomingEvent& event) {
  Format format;
  TRY_ASSIGN(format.rate, Number(event, "rate"));
  TRY_ASSIGN(format.width, Number(event, "width"));
  TRY_ASSIGN(format.channels, Number(event, "channels"));
  if (std::ranges::find(kClientRates, format.rate) == std::end(kClientRates))
    return Fail(Errc::kUnsupported, "{}: rate: {} Hz; {} are taken", event.type, format.rate,
                fmt::join(kClientRates, ", "));
  if (format.width < 1 || format.width > 4)
    return Fail(Errc::kUnsupported, "{}: width: 1 to 4 bytes are taken", event.type);
  if (format.channels < 1 || format.channels > 2)
    return Fail(Errc::kUnsupported, "{}: channels: 1 or 2 are taken", event.type);
  return format;
}

Result<> WyomingSession::Start(const WyomingEvent& event, WyomingStep& step) {
  TRY_ASSIGN(const Format format, FormatOf(event));
  if (open_) {  // what came before is not wanted
    step.drop = true;
    const SpeechRequest request = request_;
    Reset();
    request_ = request;
  }
  format_ = format;
  state_ = State::kListening;
  return {};
}

Result<> WyomingSession::Chunk(const WyomingEvent& event, WyomingStep& step) {
  if (!format_ || event.data.contains("rate")) {
    TRY_ASSIGN(const Format format, FormatOf(event));
    if (format_ && format != *format_)
      return Fail(Errc::kInvalid, "audio-chunk: the format changed on the way");
    format_ = format;
  }
  state_ = State::kListening;
  const std::size_t frame =
      static_cast<std::size_t>(format_->width) * static_cast<std::size_t>(format_->channels);
  if (event.payload.size() % frame != 0)
    return Fail(Errc::kInvalid, "audio-chunk: {} bytes are not whole frames of {}",
                event.payload.size(), frame);
  if (event.payload.empty()) return {};
  if (!open_) {
    step.open = StreamOptions{};
    step.open->request = request_;
    step.open->turns->silence = kSilence;
    open_ = true;
    intake_.emplace(ClientFormat{.rate = format_->rate});
  }
  step.audio = intake_->Take(Pcm16(event.payload, format_->width, format_->channels));
  return {};
}

void WyomingSession::Stop(WyomingStep& step) {
  if (!open_) {
    step = Transcript();
    return;
  }
  state_ = State::kWaiting;
  step.audio = intake_->Finish();
  step.finish = true;
}

WyomingStep WyomingSession::OnSpeech(const StreamEvent& event) {
  using Kind = StreamEvent::Kind;
  WyomingStep step;
  if (!open_) return step;
  switch (event.kind) {
    case Kind::kStarted:
    case Kind::kCommitted:
      items_.insert(event.item);
      break;
    case Kind::kStopped:
      break;
    case Kind::kPartial:
      // Only of the item whose text comes next: chunks are in order.
      if (items_.empty() || event.item <= *items_.begin())
        SendChunk(JoinTexts(text_, event.text), step);
      break;
    case Kind::kText:
      items_.erase(event.item);
      text_ = JoinTexts(text_, event.text);
      if (language_.empty()) language_ = event.language;
      SendChunk(text_, step);
      sent_ = text_;
      if (text_.size() > kMostText)
        return OnFailed({Errc::kInvalid, "the audio has more words than one transcript may have"});
      break;
    case Kind::kFailed:
      items_.erase(event.item);
      if (!failed_) failed_ = event.error;
      sent_ = text_;
      break;
    case Kind::kDropped:
      items_.erase(event.item);
      sent_ = text_;
      break;
    case Kind::kWarning:
      if (!failed_) failed_ = event.error;
      break;
  }
  return step;
}

void WyomingSession::SendChunk(const std::string& text, WyomingStep& step) {
  const std::string_view rest = Rest(text, sent_);
  if (rest.empty()) return;
  if (!started_) {
    json data = json::object();
    if (!request_.language.empty()) data["language"] = request_.language;
    step.send.push_back({"transcript-start", std::move(data)});
    started_ = true;
  }
  step.send.push_back({"transcript-chunk", {{"text", rest}}});
  sent_ = text;
}

WyomingStep WyomingSession::Transcript() {
  WyomingStep step;
  if (language_.empty()) language_ = request_.language;
  json language = json::object();
  if (!language_.empty()) language["language"] = language_;
  if (!started_) step.send.push_back({"transcript-start", language});
  language["text"] = text_;
  step.send.push_back({"transcript", std::move(language)});
  step.send.push_back({"transcript-stop"});
  Reset();
  return step;
}

WyomingStep WyomingSession::OnIdle() {
  if (!waiting()) return {};
  if (failed_) return OnFailed(*failed_);
  WyomingStep step = Transcript();
  step.drop = true;
  return step;
}

WyomingStep WyomingSession::OnFailed(const Error& error) {
  WyomingStep step;
  step.drop = true;
  step.send.push_back(ErrorEvent(error));
  step.close = true;  // since clients wait for a transcript or the end of the connection
  Reset();
  return step;
}

void WyomingSession::Reset() {
  *this = WyomingSession();
}

}  // namespace headroom::net
