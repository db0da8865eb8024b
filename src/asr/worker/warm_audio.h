// Audio that a model is tried with: quiet noise, the same every time.
#pragma once

#include <random>
#include <vector>

#include "audio/format/format.h"
#include "base/clock.h"

namespace headroom::worker {

/// Where nothing is computed.
inline std::vector<float> Silence(Milliseconds length) {
  return std::vector<float>(static_cast<std::size_t>(length.count()) * audio::kSampleRate / 1000);
}

inline std::vector<float> WarmAudio(Milliseconds length) {
  std::vector<float> samples = Silence(length);
  std::minstd_rand random(1);
  for (float& sample : samples) sample = static_cast<float>(random() % 2001) * 1e-5F - 0.01F;
  return samples;
}

}  // namespace headroom::worker
