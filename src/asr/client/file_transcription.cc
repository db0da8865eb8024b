#include "asr/client/file_transcription.h"

#include <algorithm>
#include <array>

#include "audio/format/format.h"
#include "speech/text/hallucination.h"
#include "speech/text/stitch.h"

namespace headroom::asr {
namespace {

using speech::Chunk;
using speech::Segment;

// The longest audio that a model gets in one run. Whisper's window is 30 s; what is longer is cut
// in pauses before.
constexpr Milliseconds kLongestChunk{28'000};
constexpr Milliseconds kMargin{500};
// The language found in the first chunk with this much speech is kept for the whole file.
constexpr Milliseconds kEnoughToTellLanguage{3000};

speech::ChunkerOptions ChunkingFor(Milliseconds most) {
  if (most.count() == 0) return speech::ChunkerOptions::For(kLongestChunk);
  return speech::ChunkerOptions::For(std::min(kLongestChunk, most - kMargin));
}

class Run {
 public:
  Run(const FileJob& job, audio::MediaReader& media, speech::SpeechProbability& detector,
      ChunkRecognizer& recognizer, speech::TranscriptWriter& writer, CancelToken* cancel)
      : job_(job),
        media_(media),
        recognizer_(recognizer),
        writer_(writer),
        cancel_(cancel),
        options_(job.options),
        chunks_(detector, ChunkingFor(recognizer.longest())) {}

  Result<FileOutcome> Do() {
    TRY(writer_.Begin({.file = job_.name}));
    auto read = ReadAll();
    // Also after a Ctrl-C or an error: what was recognised is written.
    auto rest = Write(stitcher_.Finish());
    if (read && !rest) read = std::move(rest);
    Report(read);
    TRY(writer_.End({.model = recognizer_.model(),
                     .language = language_,
                     .duration = outcome_.duration,
                     .complete = read && outcome_.complete,
                     .warnings = outcome_.warnings}));
    if (!read) return Fail(std::move(read.error()));
    return std::move(outcome_);
  }

 private:
  Result<> ReadAll() {
    std::array<float, 16384> block;
    while (true) {
      TRY_ASSIGN(const std::size_t n, media_.Read(block));
      if (n == 0) break;
      TRY(chunks_.Feed(std::span(block).first(n)));
      TRY(RecognizeReady());
      Progress();
    }
    TRY(chunks_.Finish());
    return RecognizeReady();
  }

  Result<> RecognizeReady() {
    while (auto chunk = chunks_.Next()) {
      if (cancel_ && cancel_->raised()) return Fail(Errc::kCancelled, "cancelled");
      TRY(Recognize(*chunk));
    }
    return {};
  }

  Result<> Recognize(Chunk& chunk) {
    const auto audio = audio::FiniteAudio::OfFinite(std::move(chunk.samples));
    auto result = recognizer_.Recognize(options_, audio, cancel_);
    if (!result) {
      if (result.error().code == Errc::kCancelled || !recognizer_.Recover(cancel_))
        return Fail(std::move(result.error()));
      // This stretch could not be recognised, the next may: say so and go on.
      outcome_.complete = false;
      Warn(chunk, result.error().what);
      return Write(stitcher_.Add({}, chunk.overlap > 0, chunk.forced));
    }
    if (result->truncated) Warn(chunk, "the model stopped early here; words may be missing");
    NoteLanguage(*result, chunk);
    const Milliseconds offset = audio::DurationOf(chunk.start_sample);
    std::vector<Segment> segments = std::move(result->transcript.segments);
    for (Segment& segment : segments) {
      segment.start += offset;
      segment.end += offset;
      for (speech::Word& word : segment.words) word.start += offset, word.end += offset;
    }
    DropHallucinations(segments, chunk);
    return Write(stitcher_.Add(std::move(segments), chunk.overlap > 0, chunk.forced));
  }

  Result<> Write(const std::vector<Segment>& segments) {
    for (const Segment& segment : segments) TRY(writer_.Add(segment));
    return {};
  }

  void DropHallucinations(std::vector<Segment>& segments, const Chunk& chunk) {
    std::string text;
    for (const Segment& segment : segments) text += (text.empty() ? "" : " ") + segment.text;
    if (!speech::IsHallucination(text, language_, chunk.evidence)) return;
    segments.clear();
    ++outcome_.hallucinations;
  }

  void NoteLanguage(const RunResult& result, const Chunk& chunk) {
    if (!options_.language.empty()) {
      language_ = options_.language;
    } else if (!result.transcript.language.empty()) {
      language_ = result.transcript.language;
      if (chunk.evidence.speech >= kEnoughToTellLanguage) options_.language = language_;
    }
  }

  void Warn(const Chunk& chunk, const std::string& what) {
    const auto seconds = audio::DurationOf(chunk.start_sample).count() / 1000;
    outcome_.warnings.push_back(fmt::format("at {}:{:02}:{:02}: {}", seconds / 3600,
                                            seconds / 60 % 60, seconds % 60, what));
  }

  void Progress() {
    if (job_.on_progress)
      job_.on_progress({audio::DurationOf(chunks_.samples_fed()), media_.duration()});
  }

  void Report(const Result<>& read) {
    outcome_.duration = audio::DurationOf(chunks_.samples_fed());
    if (!read) return;
    const audio::MediaReport& report = media_.report();
    for (const std::string& warning : report.warnings) outcome_.warnings.push_back(warning);
    if (report.non_finite > 0)
      outcome_.warnings.push_back(
          fmt::format("{} samples were not numbers; they became silence", report.non_finite));
    if (report.truncated) {
      outcome_.complete = false;
      outcome_.warnings.push_back("the file is cut off: " + report.detail);
    }
  }

  const FileJob& job_;
  audio::MediaReader& media_;
  ChunkRecognizer& recognizer_;
  speech::TranscriptWriter& writer_;
  CancelToken* cancel_;
  RecognitionOptions options_;
  speech::ChunkedAudio chunks_;
  speech::Stitcher stitcher_;
  std::string language_;
  FileOutcome outcome_;
};

}  // namespace

Result<FileOutcome> TranscribeFile(const FileJob& job, audio::MediaReader& media,
                                   speech::SpeechProbability& detector, ChunkRecognizer& recognizer,
                                   speech::TranscriptWriter& writer, CancelToken* cancel) {
  return Run(job, media, detector, recognizer, writer, cancel).Do();
}

}  // namespace headroom::asr
