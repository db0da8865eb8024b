// Whisper's mel filters: 400-sample windows every 160 samples, 80 or 128 mel bands.
#pragma once

#include <cstdint>
#include <vector>

namespace headroom::models {

inline constexpr std::int64_t kWhisperFft = 400;
inline constexpr std::int64_t kWhisperBins = kWhisperFft / 2 + 1;
inline constexpr double kWhisperRate = 16000;

/// Slaney's mel filter bank (Auditory Toolbox, 1998): triangles of equal area, linear below 1 kHz
/// and logarithmic above. Row-major (mels, kWhisperBins); the same numbers as librosa's default.
std::vector<float> SlaneyFilterBank(std::int64_t mels);

/// The periodic Hann window of kWhisperFft samples.
std::vector<float> HannWindow();

}  // namespace headroom::models
