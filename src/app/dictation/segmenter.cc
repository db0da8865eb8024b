#include "app/dictation/segmenter.h"

#include <algorithm>
#include <utility>

#include "audio/format/format.h"
#include "base/check.h"

namespace headroom::app {
namespace {

constexpr std::int64_t kPerMillisecond = 16;

}  // namespace

Segmenter::Segmenter(const SegmenterOptions& options, speech::SpeechProbability& detector,
                     UtteranceSink& sink, SegmenterEvents events, const Clock& clock)
    : options_(options),
      sink_(sink),
      events_(std::move(events)),
      listener_(detector, options.endpoint),
      pace_(clock) {}

bool Segmenter::Take(audio::FiniteSpan samples) {
  const auto changes = listener_.Feed(samples);
  if (!changes) {
    events_.on_warning(changes.error());
    static_cast<void>(Finish());
    return false;
  }
  if (!Handle(*changes)) return false;
  if (!listener_.open()) return true;
  if (pace_.Due(audio::DurationOf(listener_.heard() - appended_)) &&
      !AppendUpTo(listener_.heard())) {
    return false;
  }
  MaybePartial();
  return true;
}

bool Segmenter::Finish() {
  return Handle(listener_.Finish());
}

void Segmenter::Cancel() {
  if (listener_.open()) sink_.Drop();
  listener_.Cancel();
  static_cast<void>(listener_.Finish());
}

bool Segmenter::Handle(std::span<const speech::Change> changes) {
  // The span is the listener's and holds until its next call; HandleOne calls only Audio.
  return std::all_of(changes.begin(), changes.end(),
                     [this](const speech::Change& change) { return HandleOne(change); });
}

// The listener keeps what it speaks of, and what it keeps is finite.
audio::FiniteAudio Segmenter::Audio(std::int64_t begin, std::int64_t end) {
  if (held_ && held_->begin == begin && held_->end == end) return held_->audio;
  auto samples = listener_.Audio(begin, end);
  CHECK(samples.has_value());
  return audio::FiniteAudio::OfFinite(std::move(*samples));
}

bool Segmenter::HandleOne(const speech::Change& change) {
  switch (change.kind) {
    case speech::SpeechChange::kBegin: {
      begin_ = appended_ = partial_at_ = change.begin;
      paused_ = warned_ = false;
      held_.reset();
      Changed(change);
      if (const auto begun = sink_.Begin(); !begun) {
        events_.on_warning(begun.error());
        listener_.Cancel();
        return false;
      }
      return true;
    }
    case speech::SpeechChange::kPause:
      paused_ = true;
      if (!AppendUpTo(change.end)) return false;
      held_ = Held{change.begin, change.end, Audio(change.begin, change.end)};
      sink_.Pause(held_->audio);
      Changed(change);
      return true;
    case speech::SpeechChange::kResume:
      paused_ = false;
      held_.reset();
      partial_at_ = listener_.heard();
      sink_.Resume();
      Changed(change);
      return true;
    case speech::SpeechChange::kEnd: {
      if (!AppendUpTo(change.end)) return false;
      const auto silence = Milliseconds(std::max<std::int64_t>(
          0, (listener_.heard() - change.end) / kPerMillisecond + options_.endpoint.pause.count()));
      if (change.forced && options_.endpoint.overlap.count() > 0) sink_.Continues();
      const auto ended = sink_.End(Audio(change.begin, change.end), change.end - change.begin,
                                   change.evidence, silence);
      held_.reset();
      Changed(change);
      if (!ended) {
        events_.on_warning(ended.error());
        return false;
      }
      return true;
    }
  }
  return true;
}

bool Segmenter::AppendUpTo(std::int64_t end) {
  if (end <= appended_) return true;
  auto samples = listener_.Audio(appended_, end);
  CHECK(samples.has_value());
  const auto kept = sink_.Append(*samples);
  if (!kept && kept.error().code == Errc::kNoSpace) {
    events_.on_warning(kept.error());
    // What is in the spool up to here is still an utterance.
    static_cast<void>(sink_.End({}, appended_ - begin_, {}, Milliseconds(0)));
    listener_.Cancel();
    return false;
  }
  // A disk that fails is worth one warning; the text comes anyway.
  if (!kept && !std::exchange(warned_, true)) events_.on_warning(kept.error());
  appended_ = end;
  return true;
}

void Segmenter::MaybePartial() {
  if (options_.partial_every.count() == 0 || paused_) return;
  if (listener_.heard() - partial_at_ < options_.partial_every.count() * kPerMillisecond) return;
  partial_at_ = listener_.heard();
  if (sink_.WantsPartial(audio::DurationOf(partial_at_ - begin_)))
    sink_.Partial(Audio(begin_, partial_at_));
}

}  // namespace headroom::app
