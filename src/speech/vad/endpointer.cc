#include "speech/vad/endpointer.h"

#include "audio/format/format.h"
#include "base/check.h"
#include "speech/vad/vad.h"

namespace headroom::speech {
namespace {

constexpr Milliseconds kFrame = audio::DurationOf(kFrameSamples);

ChunkerOptions ChunkingOf(const EndpointOptions& options) {
  CHECK(Check(options));
  return {.enter = options.enter,
          .leave = options.leave,
          .min_speech = options.min_speech,
          .max_pause = options.silence - kFrame,  // the frame that goes beyond it ends a stretch
          .pad_before = options.pre_roll,
          .pad_after = options.pause,
          .max_chunk = options.longest,
          .overlap = options.overlap};
}

}  // namespace

Result<> Check(const EndpointOptions& options) {
  const auto wrong = [](std::string_view name, std::string_view must) {
    return Fail(Errc::kInvalid, "{} must be {}", name, must);
  };
  if (!(options.leave > 0 && options.leave <= options.enter && options.enter <= 1))
    return wrong("leave", "above 0 and at most enter, and enter at most 1");
  if (options.longest < Milliseconds(1000) || options.longest > Milliseconds(300'000))
    return wrong("longest", "between 1 s and 300 s");
  if (options.min_speech < Milliseconds(0) || options.min_speech > options.longest / 4)
    return wrong("min_speech", "at least 0 and at most a quarter of longest");
  if (options.pre_roll < Milliseconds(0) || options.pre_roll > options.longest / 4)
    return wrong("pre_roll", "at least 0 and at most a quarter of longest");
  if (options.pause < kFrame) return wrong("pause", "at least 32 ms");
  // Two frames, since both are rounded up to whole ones.
  if (options.silence < options.pause + 2 * kFrame || options.silence > options.longest / 4)
    return wrong("silence", "64 ms longer than pause and at most a quarter of longest");
  if (options.overlap < Milliseconds(0) || options.overlap > options.longest / 4)
    return wrong("overlap", "at least 0 and at most a quarter of longest");
  if (options.inactivity <= Milliseconds(0)) return wrong("inactivity", "above 0");
  return {};
}

Endpointer::Endpointer(const EndpointOptions& options)
    : inactivity_(options.inactivity),
      pause_((audio::SamplesIn(options.pause) + kFrameSamples - 1) / kFrameSamples),
      chunker_(ChunkingOf(options)) {}

std::span<const Change> Endpointer::Push(float probability, float energy) {
  changes_.clear();
  idle_ = Milliseconds(0);
  ++heard_;
  const auto ended = chunker_.Push(probability, energy);
  const bool cut = ended && chunker_.kept();  // too long; speech goes on
  if (begun_ && paused_ && (cut || (!ended && chunker_.silent_frames() == 0))) {
    paused_ = false;
    Add(SpeechChange::kResume, {.start = cut ? ended->start : chunker_.begin()});
  }
  if (ended) End(*ended);
  if (!begun_ && chunker_.kept()) Begin();
  if (begun_ && !paused_ && chunker_.silent_frames() >= pause_) {
    paused_ = true;
    Add(SpeechChange::kPause, chunker_.span());
  }
  return changes_;
}

std::span<const Change> Endpointer::Idle(Milliseconds time) {
  changes_.clear();
  idle_ += time;
  if (begun_ && idle_ >= inactivity_) {
    if (const auto ended = chunker_.Flush()) End(*ended);
  }
  return changes_;
}

std::span<const Change> Endpointer::Finish() {
  changes_.clear();
  idle_ = Milliseconds(0);
  if (const auto ended = chunker_.Finish()) End(*ended);
  heard_ = 0;
  return changes_;
}

void Endpointer::Cancel() {
  begun_ = paused_ = false;
  static_cast<void>(chunker_.Flush());
}

void Endpointer::Add(SpeechChange kind, const ChunkSpan& span) {
  const bool ends = kind == SpeechChange::kPause || kind == SpeechChange::kEnd;
  changes_.push_back({.kind = kind,
                      .begin = span.start,
                      .end = ends ? span.end : heard_ * kFrameSamples,
                      .forced = span.forced,
                      .evidence = span.evidence});
}

void Endpointer::Begin() {
  begun_ = true;
  Add(SpeechChange::kBegin, {.start = chunker_.begin()});
}

void Endpointer::End(const ChunkSpan& span) {
  CHECK(begun_);
  begun_ = paused_ = false;
  Add(SpeechChange::kEnd, span);
}

}  // namespace headroom::speech
