#include "speech/vad/listener.h"

#include <algorithm>

#include "audio/format/format.h"
#include "base/check.h"

namespace headroom::speech {
namespace {

constexpr std::int64_t kLeastRing = 30 * audio::kSampleRate;

}  // namespace

Listener::Listener(SpeechProbability& detector, const EndpointOptions& options)
    : detector_(detector),
      endpointer_(options),
      ring_(std::max(kLeastRing, endpointer_.most_samples() + kFrameSamples +
                                     static_cast<std::int64_t>(kMostAtOnce))) {
  detector_.Reset();
}

Result<std::span<const Change>> Listener::Feed(audio::FiniteSpan finite) {
  const std::span<const float> samples = finite.samples();
  CHECK(samples.size() <= kMostAtOnce);
  if (finished_) ring_.Clear();
  finished_ = false;
  changes_.clear();
  Measure(samples);
  ring_.Append(samples);
  TRY_ASSIGN(const std::span<const float> probabilities, detector_.Feed(samples));
  Push(probabilities);
  CHECK(endpointer_.first_needed() >= ring_.first());
  return changes_;
}

std::span<const Change> Listener::Idle(Milliseconds time) {
  return endpointer_.Idle(time);
}

std::span<const Change> Listener::Finish() {
  changes_.clear();
  energies_.push_back(energy_ / static_cast<float>(kFrameSamples));
  if (const auto last = detector_.Flush()) Push(*last);
  const auto ended = endpointer_.Finish();
  changes_.insert(changes_.end(), ended.begin(), ended.end());
  for (Change& change : changes_) change.end = std::min(change.end, heard());
  detector_.Reset();
  energies_.clear();
  energy_ = 0;
  finished_ = true;
  return changes_;
}

void Listener::Measure(std::span<const float> samples) {
  std::int64_t at = ring_.end();
  for (const float sample : samples) {
    energy_ += sample * sample;
    if (++at % kFrameSamples != 0) continue;
    energies_.push_back(energy_ / static_cast<float>(kFrameSamples));
    energy_ = 0;
  }
}

void Listener::Push(std::span<const float> probabilities) {
  const std::size_t frames = std::min(probabilities.size(), energies_.size());
  for (std::size_t i = 0; i < frames; ++i) {
    const auto some = endpointer_.Push(probabilities[i], energies_[i]);
    changes_.insert(changes_.end(), some.begin(), some.end());
  }
  energies_.erase(energies_.begin(), energies_.begin() + static_cast<std::ptrdiff_t>(frames));
}

}  // namespace headroom::speech
