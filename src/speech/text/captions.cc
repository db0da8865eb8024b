#include "speech/text/captions.h"

#include <algorithm>
#include <utility>

#include "speech/text/cues.h"
#include "speech/text/transcript_json.h"
#include "speech/text/words.h"

namespace headroom::speech {
namespace {

class TextWriter : public TranscriptWriter {
 public:
  explicit TextWriter(TextSink sink) : sink_(std::move(sink)) {}

  Result<> Begin(const TranscriptHead&) override { return {}; }

  Result<> Add(const Segment& segment) override {
    std::string text = OneLine(segment.text);
    if (text.empty()) return {};
    const bool pause = segment.start - last_end_ >= kParagraphPause;
    const bool long_enough = line_ >= kLongLine && EndsSentence(last_);
    if (!last_.empty() && (pause || long_enough)) {
      line_ = 0;
      last_.clear();
      TRY(sink_("\n"));
    }
    // What JoinTexts puts between the two is what goes out.
    const auto out = JoinTexts(last_, text).substr(last_.size());
    last_ = std::move(text);
    last_end_ = segment.end;
    line_ += out.size();
    return sink_(out);
  }

  Result<> End(const TranscriptEnd&) override {
    if (last_.empty()) return {};
    return sink_("\n");
  }

 private:
  static constexpr Milliseconds kParagraphPause{2000};
  static constexpr std::size_t kLongLine = 1000;  // bytes; then the next sentence begins another

  const TextSink sink_;
  std::string last_;  // the segment before, on the line that is open; "" at the start of a line
  Milliseconds last_end_{0};
  std::size_t line_ = 0;
};

class TsvWriter : public TranscriptWriter {
 public:
  explicit TsvWriter(TextSink sink) : sink_(std::move(sink)) {}

  Result<> Begin(const TranscriptHead&) override { return sink_("start\tend\ttext\n"); }
  Result<> Add(const Segment& segment) override {
    return sink_(fmt::format("{}\t{}\t{}\n", segment.start.count(), segment.end.count(),
                             OneLine(segment.text)));
  }
  Result<> End(const TranscriptEnd&) override { return {}; }

 private:
  const TextSink sink_;
};

/// "01:02:03,004"; hours go on beyond 99.
std::string Timestamp(Milliseconds time, char decimal) {
  const std::int64_t ms = std::max<std::int64_t>(0, time.count());
  return fmt::format("{:02}:{:02}:{:02}{}{:03}", ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60,
                     decimal, ms % 1000);
}

std::string Replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

/// SubRip and WebVTT differ in little.
class CueWriter : public TranscriptWriter {
 public:
  CueWriter(TranscriptFormat format, TextSink sink)
      : vtt_(format == TranscriptFormat::kVtt), sink_(std::move(sink)) {}

  Result<> Begin(const TranscriptHead&) override {
    if (!vtt_) return {};
    return sink_("WEBVTT\n\n");
  }

  Result<> Add(const Segment& segment) override {
    std::string text;
    for (const Cue& cue : CuesOf(segment, last_end_)) {
      const char decimal = vtt_ ? '.' : ',';
      if (!vtt_) text += fmt::format("{}\n", ++number_);
      text +=
          fmt::format("{} --> {}\n", Timestamp(cue.start, decimal), Timestamp(cue.end, decimal));
      for (const std::string& line : cue.lines) text += Escaped(line) + "\n";
      text += "\n";
      last_end_ = cue.end;
    }
    if (text.empty()) return {};
    return sink_(text);
  }

  Result<> End(const TranscriptEnd&) override { return {}; }

 private:
  std::string Escaped(const std::string& line) const {
    // SubRip has no escapes: an arrow is shortened, so that no player takes the line for a time.
    if (!vtt_) return Replaced(line, "-->", "->");
    return Replaced(Replaced(Replaced(line, "&", "&amp;"), "<", "&lt;"), ">", "&gt;");
  }

  const bool vtt_;
  const TextSink sink_;
  int number_ = 0;
  Milliseconds last_end_{0};
};

}  // namespace

Result<TranscriptFormat> ParseTranscriptFormat(std::string_view name) {
  if (name == "text" || name == "txt") return TranscriptFormat::kText;
  if (name == "json") return TranscriptFormat::kJson;
  if (name == "srt") return TranscriptFormat::kSrt;
  if (name == "vtt") return TranscriptFormat::kVtt;
  if (name == "tsv") return TranscriptFormat::kTsv;
  return Fail(Errc::kInvalid, "{}: no such format; there are text, json, srt, vtt and tsv", name);
}

std::string_view Extension(TranscriptFormat format) {
  switch (format) {
    case TranscriptFormat::kText:
      return "txt";
    case TranscriptFormat::kJson:
      return "json";
    case TranscriptFormat::kSrt:
      return "srt";
    case TranscriptFormat::kVtt:
      return "vtt";
    case TranscriptFormat::kTsv:
      return "tsv";
  }
  return "";
}

std::unique_ptr<TranscriptWriter> MakeTranscriptWriter(TranscriptFormat format, TextSink sink) {
  switch (format) {
    case TranscriptFormat::kJson:
      return MakeJsonWriter(std::move(sink));
    case TranscriptFormat::kSrt:
    case TranscriptFormat::kVtt:
      return std::make_unique<CueWriter>(format, std::move(sink));
    case TranscriptFormat::kTsv:
      return std::make_unique<TsvWriter>(std::move(sink));
    case TranscriptFormat::kText:
      break;
  }
  return std::make_unique<TextWriter>(std::move(sink));
}

}  // namespace headroom::speech
