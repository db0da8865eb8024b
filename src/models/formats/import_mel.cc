#include "models/formats/import_mel.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace headroom::models {
namespace {

constexpr double kLinearHz = 200.0 / 3;  // a mel, below 1 kHz
constexpr double kCornerHz = 1000;
constexpr double kCornerMel = kCornerHz / kLinearHz;
const double kLogStep = std::log(6.4) / 27;  // above: 27 mels are a factor of 6.4

double HzToMel(double hz) {
  return hz < kCornerHz ? hz / kLinearHz : kCornerMel + std::log(hz / kCornerHz) / kLogStep;
}

double MelToHz(double mel) {
  return mel < kCornerMel ? mel * kLinearHz : kCornerHz * std::exp(kLogStep * (mel - kCornerMel));
}

}  // namespace

std::vector<float> SlaneyFilterBank(std::int64_t mels) {
  const double top = HzToMel(kWhisperRate / 2);
  const auto edge = [&](std::int64_t i) {
    return MelToHz(top * static_cast<double>(i) / static_cast<double>(mels + 1));
  };
  std::vector<float> bank;
  bank.reserve(static_cast<std::size_t>(mels * kWhisperBins));
  for (std::int64_t mel = 0; mel < mels; ++mel) {
    const double low = edge(mel), middle = edge(mel + 1), high = edge(mel + 2);
    for (std::int64_t bin = 0; bin < kWhisperBins; ++bin) {
      const double hz = static_cast<double>(bin) * kWhisperRate / kWhisperFft;
      const double height = std::min((hz - low) / (middle - low), (high - hz) / (high - middle));
      bank.push_back(static_cast<float>(std::max(0.0, height) * 2 / (high - low)));
    }
  }
  return bank;
}

std::vector<float> HannWindow() {
  std::vector<float> window;
  for (std::int64_t i = 0; i < kWhisperFft; ++i)
    window.push_back(static_cast<float>(
        0.5 * (1 - std::cos(2 * std::numbers::pi * static_cast<double>(i) / kWhisperFft))));
  return window;
}

}  // namespace headroom::models
