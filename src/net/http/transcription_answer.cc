#include "net/http/transcription_answer.h"

#include "net/control/json_text.h"
#include "speech/text/words.h"

namespace headroom::net {
namespace {

using nlohmann::json;
using speech::TranscriptFormat;

constexpr std::int64_t kTimesBytes = 200;  // of one word or segment, besides its text

TranscriptFormat WriterFor(AnswerFormat format) {
  if (format == AnswerFormat::kSrt) return TranscriptFormat::kSrt;
  if (format == AnswerFormat::kVtt) return TranscriptFormat::kVtt;
  return TranscriptFormat::kText;
}

double Seconds(Milliseconds time) {
  return static_cast<double>(time.count()) / 1000;
}

json Usage(const JobEvents::Outcome& outcome) {
  return {{"type", "duration"}, {"seconds", (outcome.duration.count() + 999) / 1000}};
}

std::string WithoutLineEnd(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

std::string ServerSentEvent(std::string_view name, json data) {
  data["type"] = name;
  return fmt::format("event: {}\ndata: {}\n\n", name, Dump(data));
}

std::string ServerSentError(const WebError& error) {
  json data = json::parse(error.Json(), nullptr, false);
  return ServerSentEvent("error", std::move(data));
}

TranscriptionAnswer::TranscriptionAnswer(const TranscriptionForm& form, Bytes limit)
    : form_(form),
      limit_(limit),
      writer_(speech::MakeTranscriptWriter(WriterFor(form.format),
                                           [this](std::string_view more) -> Result<> {
                                             text_ += more;
                                             return {};
                                           })) {}

std::string_view TranscriptionAnswer::content_type() const {
  if (form_.stream) return "text/event-stream";
  switch (form_.format) {
    case AnswerFormat::kJson:
    case AnswerFormat::kVerboseJson:
      return "application/json";
    case AnswerFormat::kVtt:
      return "text/vtt; charset=utf-8";
    default:
      return "text/plain; charset=utf-8";
  }
}

Result<std::string> TranscriptionAnswer::Add(const speech::Segment& segment) {
  const std::size_t before = text_.size();
  if (!std::exchange(begun_, true)) TRY(writer_->Begin({}));
  const std::size_t head = text_.size();
  TRY(writer_->Add(segment));
  if (form_.format == AnswerFormat::kVerboseJson) {
    for (const speech::Word& word : segment.words) {
      bytes_ += kTimesBytes + static_cast<std::int64_t>(word.text.size());
      words_.push_back(
          {{"word", word.text}, {"start", Seconds(word.start)}, {"end", Seconds(word.end)}});
    }
    // What the engine does not say has the value that no filter acts on; docs/api.md names them.
    segments_.push_back({{"id", segments_.size()},
                         {"seek", 0},
                         {"start", Seconds(segment.start)},
                         {"end", Seconds(segment.end)},
                         {"text", speech::OneLine(segment.text)},
                         {"tokens", json::array()},
                         {"temperature", 0.0},
                         {"avg_logprob", 0.0},
                         {"compression_ratio", 1.0},
                         {"no_speech_prob", 0.0}});
    bytes_ += kTimesBytes + static_cast<std::int64_t>(segment.text.size());
  }
  bytes_ += static_cast<std::int64_t>(text_.size() - before);
  if (bytes_ > limit_.n)
    return Fail(Errc::kUnsupported, "the text is longer than one answer may be ({})",
                FormatBinary(limit_));
  if (!form_.stream || text_.size() == head) return "";
  return ServerSentEvent("transcript.text.delta", {{"delta", text_.substr(head)}});
}

json TranscriptionAnswer::Verbose(const JobEvents::Outcome& outcome) const {
  json body = {{"task", form_.request.translate_to.empty() ? "transcribe" : "translate"},
               {"language", outcome.language},
               {"duration", Seconds(outcome.duration)},
               {"text", WithoutLineEnd(text_)},
               {"usage", Usage(outcome)}};
  if (form_.segments) body["segments"] = segments_;
  if (form_.words) body["words"] = words_;
  return body;
}

Result<std::string> TranscriptionAnswer::End(const JobEvents::Outcome& outcome) {
  if (!std::exchange(begun_, true)) TRY(writer_->Begin({}));
  TRY(writer_->End({.language = outcome.language, .duration = outcome.duration}));
  json whole = {{"text", WithoutLineEnd(text_)}, {"usage", Usage(outcome)}};
  if (form_.stream) return ServerSentEvent("transcript.text.done", std::move(whole));
  if (form_.format == AnswerFormat::kJson) return Dump(whole) + '\n';
  if (form_.format == AnswerFormat::kVerboseJson) return Dump(Verbose(outcome)) + '\n';
  return std::move(text_);
}

}  // namespace headroom::net
