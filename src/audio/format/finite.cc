#include "audio/format/finite.h"

#include <algorithm>
#include <cmath>

namespace headroom::audio {

std::size_t MakeFinite(std::span<float> samples) {
  std::size_t changed = 0;
  for (float& sample : samples) {
    // One comparison for the usual case; it is false for NaN.
    if (std::fabs(sample) <= kLoudestSample) continue;
    sample = std::isfinite(sample) ? std::clamp(sample, -kLoudestSample, kLoudestSample) : 0.0F;
    ++changed;
  }
  return changed;
}

bool IsFinite(std::span<const float> samples) {
  return std::ranges::all_of(samples,
                             [](float sample) { return std::fabs(sample) <= kLoudestSample; });
}

}  // namespace headroom::audio
