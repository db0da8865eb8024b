// Audio that is done being recorded: the one format (format.h), finite, immutable and shared, so
// that from the spool to the worker it is neither copied nor checked again. Copying one copies a
// pointer.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "audio/format/finite.h"
#include "audio/format/format.h"

namespace headroom::audio {

class FiniteAudio {
 public:
  FiniteAudio() = default;  // no samples
  /// Makes them finite (finite.h): the one place where an utterance is checked.
  explicit FiniteAudio(std::vector<float> samples) {
    MakeFinite(samples);
    Share(std::move(samples));
  }
  /// Of samples that are finite by what made them: MakeFinite, or a decoder of whole numbers.
  static FiniteAudio OfFinite(std::vector<float> samples) {
    FiniteAudio audio;
    audio.Share(std::move(samples));
    return audio;
  }

  std::span<const float> samples() const {
    return samples_ ? std::span<const float>(*samples_) : std::span<const float>();
  }
  std::size_t size() const { return samples().size(); }
  bool empty() const { return size() == 0; }
  Milliseconds duration() const { return DurationOf(static_cast<std::int64_t>(size())); }

  /// Whether both share one buffer, and so every sample.
  bool operator==(const FiniteAudio&) const = default;

 private:
  void Share(std::vector<float> samples) {
    if (!samples.empty()) samples_ = std::make_shared<const std::vector<float>>(std::move(samples));
  }

  std::shared_ptr<const std::vector<float>> samples_;  // null: none
};

}  // namespace headroom::audio
