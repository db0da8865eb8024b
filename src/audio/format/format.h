// The one audio format inside Headroom: 16 kHz, one channel, 32-bit float, full scale +-1, finite.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace headroom::audio {

inline constexpr int kSampleRate = 16000;

/// Samples of the one format as time, rounded down to a millisecond.
constexpr Milliseconds DurationOf(std::int64_t samples) {
  return Milliseconds(samples * 1000 / kSampleRate);
}
constexpr std::int64_t SamplesIn(Milliseconds time) {
  return time.count() * kSampleRate / 1000;
}

}  // namespace headroom::audio
