#include "speech/vad/chunked_audio.h"

#include <algorithm>
#include <utility>

#include "audio/format/finite.h"
#include "audio/format/format.h"
#include "base/check.h"

namespace headroom::speech {
namespace {

constexpr std::size_t kBlock = 16 * kFrameSamples;  // half a second

}  // namespace

ChunkedAudio::ChunkedAudio(SpeechProbability& detector, const ChunkerOptions& options)
    : detector_(detector), chunker_(options) {
  detector_.Reset();
}

Result<> ChunkedAudio::Feed(std::span<const float> samples) {
  CHECK(!finished_ && ready_.empty());
  while (!samples.empty()) {
    const std::size_t size = std::min(samples.size(), kBlock);
    TRY(FeedBlock(samples.first(size)));
    samples = samples.subspan(size);
  }
  return {};
}

Result<> ChunkedAudio::FeedBlock(std::span<const float> samples) {
  const std::size_t before = held_.size();
  held_.insert(held_.end(), samples.begin(), samples.end());
  const auto block = std::span(held_).subspan(before);
  repaired_ += static_cast<std::int64_t>(audio::MakeFinite(block));
  fed_ += static_cast<std::int64_t>(block.size());
  TRY_ASSIGN(const std::span<const float> probabilities, detector_.Feed(block));
  Push(probabilities);

  // A second at a time, so that moving what is kept costs next to nothing.
  const std::int64_t unneeded = chunker_.first_needed() - held_from_;
  if (unneeded >= audio::kSampleRate) {
    held_.erase(held_.begin(), held_.begin() + unneeded);
    held_from_ += unneeded;
  }
  CHECK(samples_held() <=
        chunker_.most_samples() + audio::kSampleRate + static_cast<std::int64_t>(kBlock));
  return {};
}

Result<> ChunkedAudio::Finish() {
  CHECK(!finished_);
  finished_ = true;
  TRY_ASSIGN(const std::span<const float> probabilities, detector_.Flush());
  Push(probabilities);
  if (const auto span = chunker_.Finish()) Keep(*span);
  held_ = {};
  held_from_ = fed_;
  return {};
}

std::optional<Chunk> ChunkedAudio::Next() {
  if (ready_.empty()) return std::nullopt;
  Chunk chunk = std::move(ready_.front());
  ready_.pop_front();
  return chunk;
}

void ChunkedAudio::Push(std::span<const float> probabilities) {
  for (const float probability : probabilities) {
    if (const auto span = chunker_.Push(probability, EnergyOf(frames_++))) Keep(*span);
  }
}

void ChunkedAudio::Keep(const ChunkSpan& span) {
  const auto samples = Held(span.start, std::min(span.end, fed_));  // the last frame may be short
  ready_.push_back({.start_sample = span.start,
                    .samples = {samples.begin(), samples.end()},
                    .overlap = span.overlap,
                    .forced = span.forced,
                    .evidence = span.evidence});
}

float ChunkedAudio::EnergyOf(std::int64_t frame) const {
  const auto samples = Held(frame * kFrameSamples, std::min((frame + 1) * kFrameSamples, fed_));
  float sum = 0;
  for (const float sample : samples) sum += sample * sample;
  return sum / static_cast<float>(kFrameSamples);
}

std::span<const float> ChunkedAudio::Held(std::int64_t begin, std::int64_t end) const {
  CHECK(begin >= held_from_ && begin <= end && end <= fed_);
  return std::span(held_).subspan(static_cast<std::size_t>(begin - held_from_),
                                  static_cast<std::size_t>(end - begin));
}

}  // namespace headroom::speech
