#include "speech/vad/chunker.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "audio/format/format.h"
#include "base/check.h"
#include "speech/vad/vad.h"

namespace headroom::speech {
namespace {

std::int64_t FramesIn(Milliseconds time) {
  return audio::SamplesIn(time) / kFrameSamples;
}

std::int64_t FramesFor(Milliseconds time) {
  return (audio::SamplesIn(time) + kFrameSamples - 1) / kFrameSamples;
}

}  // namespace

ChunkerOptions ChunkerOptions::For(Milliseconds limit) {
  ChunkerOptions options;
  options.max_chunk = std::max(limit, Milliseconds(1000));
  options.max_pause = std::min(options.max_pause, options.max_chunk / 2);
  options.overlap = std::min(options.overlap, options.max_chunk / 4);
  options.pad_before = std::min(options.pad_before, options.max_chunk / 10);
  options.pad_after = std::min(options.pad_after, options.max_chunk / 10);
  return options;
}

Chunker::Chunker(const ChunkerOptions& options)
    : options_(options),
      min_speech_(FramesFor(options.min_speech)),
      min_pause_(std::max<std::int64_t>(1, FramesFor(options.min_pause))),
      max_pause_(FramesFor(options.max_pause)),
      pad_before_(FramesFor(options.pad_before)),
      pad_after_(FramesFor(options.pad_after)),
      max_chunk_(FramesIn(options.max_chunk)),
      overlap_(FramesFor(options.overlap)) {
  CHECK(options.leave <= options.enter);
  CHECK(max_pause_ >= min_pause_ && max_pause_ >= pad_after_);
  CHECK(overlap_ < max_chunk_ / 2);
  CHECK(max_pause_ + pad_before_ + pad_after_ + min_pause_ < max_chunk_);
}

std::optional<ChunkSpan> Chunker::Push(float probability, float energy) {
  const std::int64_t frame = next_++;
  speech_ = probability >= (speech_ ? options_.leave : options_.enter);
  frames_.push_back({probability, energy, speech_});
  if (!open_ && !speech_) {
    ForgetBefore(next_ - pad_before_);
    return std::nullopt;
  }
  if (!open_) {
    open_ = true;
    sent_ = false;
    start_ = std::max(frame - pad_before_, floor_);
    shared_ = 0;
    speech_frames_ = 0;
  }
  if (!speech_) {
    if (frame - last_speech_ <= max_pause_) return std::nullopt;
    return Flush();
  }
  last_speech_ = frame;
  ++speech_frames_;
  // A dip before this frame may reach past the limit, so it is tested a dip early.
  if (next_ - start_ <= max_chunk_ - min_pause_) return std::nullopt;
  return Cut();
}

std::optional<ChunkSpan> Chunker::Finish() {
  const std::optional<ChunkSpan> last = Flush();
  frames_.clear();
  first_ = next_ = floor_ = 0;
  return last;
}

std::optional<ChunkSpan> Chunker::Flush() {
  std::optional<ChunkSpan> last;
  if (kept()) {
    last = span();
    floor_ = last->end / kFrameSamples;
  }
  open_ = speech_ = false;
  ForgetBefore(std::max(next_ - pad_before_, floor_));
  return last;
}

std::int64_t Chunker::begin() const {
  return start_ * kFrameSamples;
}

ChunkSpan Chunker::span() const {
  const std::int64_t end = std::min({last_speech_ + 1 + pad_after_, start_ + max_chunk_, next_});
  return Span(start_, end, false);
}

std::int64_t Chunker::first_needed() const {
  return (open_ ? start_ : std::max(next_ - pad_before_, floor_)) * kFrameSamples;
}

std::int64_t Chunker::most_samples() const {
  return (max_chunk_ + max_pause_ + 1) * kFrameSamples;
}

const Chunker::Frame& Chunker::At(std::int64_t frame) const {
  return frames_[static_cast<std::size_t>(frame - first_)];
}

ChunkSpan Chunker::Span(std::int64_t begin, std::int64_t end, bool forced) const {
  std::int64_t speech = 0;
  double sum = 0;
  for (std::int64_t frame = begin; frame < end; ++frame) {
    if (!At(frame).speech) continue;
    ++speech;
    sum += static_cast<double>(At(frame).probability);
  }
  const Evidence evidence{
      .speech = audio::DurationOf(speech * kFrameSamples),
      .probability = speech == 0 ? 0.0F : static_cast<float>(sum / static_cast<double>(speech))};
  return {.start = begin * kFrameSamples,
          .end = end * kFrameSamples,
          .overlap = shared_ * kFrameSamples,
          .forced = forced,
          .evidence = evidence};
}

// The last frame is speech; with it the chunk is full.
ChunkSpan Chunker::Cut() {
  ChunkSpan chunk;
  if (const auto pause = LongestPause()) {
    const std::int64_t length = pause->end - pause->begin;
    const std::int64_t room = start_ + max_chunk_ - pause->begin;
    const std::int64_t before = std::min({pad_after_, length / 2, room});
    const std::int64_t after = std::min(pad_before_, length - before);
    chunk = Span(start_, pause->begin + before, false);
    start_ = pause->end - after;
    shared_ = 0;
  } else {
    const std::int64_t end = Quietest() + 1;
    chunk = Span(start_, end, true);
    start_ = end - overlap_;
    shared_ = overlap_;
  }
  CHECK(next_ - start_ <= max_chunk_);
  sent_ = true;
  floor_ = chunk.end / kFrameSamples;
  ForgetBefore(start_);
  return chunk;
}

std::optional<Chunker::Pause> Chunker::LongestPause() const {
  const std::int64_t half = start_ + max_chunk_ / 2;
  std::optional<Pause> best;
  std::tuple<bool, std::int64_t> best_rank;
  std::int64_t after_speech = -1;  // the frame after the last speech seen; -1: none seen yet
  for (std::int64_t frame = start_; frame < next_; ++frame) {
    if (!At(frame).speech) continue;
    const std::int64_t length = frame - after_speech;
    if (after_speech >= 0 && length >= min_pause_) {
      const std::tuple rank((after_speech + frame) / 2 >= half, length);
      if (!best || rank >= best_rank) {
        best = Pause{after_speech, frame};
        best_rank = rank;
      }
    }
    after_speech = frame + 1;
  }
  return best;
}

std::int64_t Chunker::Quietest() const {
  // Tenths: a finer difference between two probabilities says less than the energy does.
  const auto rank = [&](std::int64_t frame) {
    return std::tuple(std::floor(At(frame).probability * 10.0F), At(frame).energy);
  };
  std::int64_t quietest = start_ + max_chunk_ / 2;
  for (std::int64_t frame = quietest; frame < next_; ++frame) {
    if (rank(frame) <= rank(quietest)) quietest = frame;
  }
  return quietest;
}

void Chunker::ForgetBefore(std::int64_t frame) {
  for (; first_ < std::min(frame, next_); ++first_) frames_.pop_front();
}

}  // namespace headroom::speech
