#include "asr/overrides/spectrogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <vector>

namespace headroom::worker {
namespace {

// Framed and normalised as Whisper's; of each frame its energy and that of its differences.
transcribe_status Make(std::span<const float> samples, Spectrogram& into) {
  const auto n = static_cast<int>(samples.size());
  const auto at = [&](int i) {
    i = i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
    return static_cast<double>(samples[static_cast<std::size_t>(i)]);
  };
  into.bands = 2;
  into.frames = n / 160;
  into.numbers.assign(static_cast<std::size_t>(2 * into.frames), 0.0F);
  double most = -100;
  for (int t = 0; t < into.frames; ++t) {
    double energy = 0, change = 0;
    for (int i = t * 160 - 200; i < t * 160 + 200; ++i) {
      energy += at(i) * at(i);
      change += std::abs(at(i) - at(i - 1));
    }
    const double numbers[] = {std::log10(std::max(energy, 1e-10)),
                              std::log10(std::max(change, 1e-10))};
    for (int band = 0; band < 2; ++band) {
      into.numbers[static_cast<std::size_t>(band * into.frames + t)] =
          static_cast<float>(numbers[band]);
      most = std::max(most, numbers[band]);
    }
  }
  for (float& number : into.numbers)
    number = static_cast<float>((std::max(static_cast<double>(number), most - 8) + 4) / 4);
  return TRANSCRIBE_OK;
}

std::vector<float> Padded(std::size_t spoken, std::size_t n) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> loud(-0.5F, 0.5F);
  std::vector<float> samples(n);
  std::generate_n(samples.begin(), spoken, [&] { return loud(random); });
  return samples;
}

TEST(SpectrogramTest, OfPaddedSamplesEqualsTheEnginesToTheBit) {
  for (const std::size_t spoken :
       {0, 1, 159, 160, 161, 800, 4000, 30'001, 47'000, 47'999, 48'000}) {
    const auto samples = Padded(spoken, 48'000);
    std::size_t shown = 0;
    Spectrogram expected, made;
    Make(samples, expected);
    const auto make = [&](std::span<const float> some, Spectrogram& into) {
      shown = some.size();
      return Make(some, into);
    };
    ASSERT_EQ(MakeOfPadded(samples, make, made), TRANSCRIBE_OK);
    EXPECT_EQ(made.frames, expected.frames) << spoken;
    EXPECT_EQ(made.bands, expected.bands);
    EXPECT_EQ(made.numbers, expected.numbers) << spoken;
    EXPECT_LE(shown, std::min<std::size_t>(spoken + 1'000, 48'000));
  }
}

TEST(SpectrogramTest, GetsAllSamplesWhereTheEngineCountsFramesOtherwise) {
  const auto samples = Padded(4'000, 48'000);
  Spectrogram made;
  const auto make = [](std::span<const float> some, Spectrogram& into) {
    into = {.numbers = std::vector<float>(some.size() / 160 + 1, 1.0F),
            .bands = 1,
            .frames = static_cast<int>(some.size() / 160 + 1)};
    return TRANSCRIBE_OK;
  };
  ASSERT_EQ(MakeOfPadded(samples, make, made), TRANSCRIBE_OK);
  EXPECT_EQ(made.frames, 301);
}

TEST(SpectrogramTest, AFailureOfTheEngineIsReturned) {
  Spectrogram made;
  const auto fail = [](std::span<const float>, Spectrogram&) { return TRANSCRIBE_ERR_OOM; };
  EXPECT_EQ(MakeOfPadded(Padded(100, 48'000), fail, made), TRANSCRIBE_ERR_OOM);
}

}  // namespace
}  // namespace headroom::worker
