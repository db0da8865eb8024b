#include "models/formats/import_numbers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/formats/import_mel.h"

namespace headroom::models {
namespace {

TEST(Half, AllOfThemRoundTrip) {
  for (std::uint32_t half = 0; half < 65536; ++half) {
    const float value = HalfToFloat(static_cast<std::uint16_t>(half));
    if (std::isnan(value)) {
      EXPECT_EQ(half & 0x7c00U, 0x7c00U);
      continue;
    }
    ASSERT_EQ(FloatToHalf(value), half) << value;
  }
}

TEST(Half, RoundsToNearestEven) {
  EXPECT_EQ(HalfToFloat(0x3c00), 1.0F);
  EXPECT_EQ(FloatToHalf(1.0F + 0x1p-11F), 0x3c00);  // a tie, to even
  EXPECT_EQ(FloatToHalf(1.0F + 0x1p-11F + 0x1p-20F), 0x3c01);
  EXPECT_EQ(FloatToHalf(1.0F + 3 * 0x1p-11F), 0x3c02);  // a tie, to even
  EXPECT_EQ(FloatToHalf(65504), 0x7bff);
  EXPECT_EQ(FloatToHalf(65519), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520), 0x7c00);
  EXPECT_EQ(FloatToHalf(0x1p-25F), 0);
  EXPECT_EQ(FloatToHalf(0x1.8p-25F), 1);
  EXPECT_EQ(FloatToHalf(-0x1p-24F), 0x8001);
  EXPECT_EQ(FloatToHalf(0x1.ff8p-15F), 0x03ff);
  EXPECT_EQ(FloatToHalf(0x1.fffp-15F), 0x0400);
}

TEST(Finite, IsSeenInAllFormats) {
  for (const float bad : {std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(), std::nanf(""), -std::nanf("")}) {
    std::vector<float> numbers{1, 2, 3, bad};
    EXPECT_FALSE(AllFinite(GgmlType::kF32, std::as_bytes(std::span(numbers))));
    numbers.pop_back();
    EXPECT_TRUE(AllFinite(GgmlType::kF32, std::as_bytes(std::span(numbers))));
    const std::uint16_t half[] = {0, 0x7bff, FloatToHalf(bad)};
    EXPECT_FALSE(AllFinite(GgmlType::kF16, std::as_bytes(std::span(half))));
    EXPECT_TRUE(AllFinite(GgmlType::kF16, std::as_bytes(std::span(half).first(2))));
    for (const GgmlType type : {GgmlType::kF32, GgmlType::kF16, GgmlType::kBF16}) {
      std::vector<std::byte> encoded;
      EXPECT_FALSE(Encode(type, std::span(&bad, 1), encoded));
    }
  }
}

TEST(Encode, RefusesWhatDoesNotFit) {
  std::vector<std::byte> encoded;
  const float large[] = {70000};
  EXPECT_EQ(Encode(GgmlType::kF16, large, encoded).error().what, "a weight is too large for F16");
  EXPECT_TRUE(Encode(GgmlType::kBF16, large, encoded));
}

// The first values of the 80-band filter bank that OpenAI's Whisper ships, and its sums.
TEST(Mel, BankHasTrianglesOfEqualArea) {
  for (const std::int64_t mels : {80, 128}) {
    const std::vector<float> bank = SlaneyFilterBank(mels);
    ASSERT_EQ(bank.size(), static_cast<std::size_t>(mels * kWhisperBins));
    double highest_sum = 0;
    for (std::int64_t bin = 0; bin < kWhisperBins; ++bin)
      highest_sum += bank[static_cast<std::size_t>((mels - 1) * kWhisperBins + bin)];
    // A triangle of area 1 sampled every 40 Hz.
    EXPECT_NEAR(highest_sum * 40, 1, 0.01);
    for (const float value : bank) EXPECT_GE(value, 0);
  }
  const std::vector<float> bank = SlaneyFilterBank(80);
  EXPECT_EQ(bank[0], 0);
  EXPECT_NEAR(bank[1], 0.02486259490251541, 1e-9);
}

TEST(Mel, WindowIsPeriodic) {
  const std::vector<float> window = HannWindow();
  ASSERT_EQ(window.size(), 400U);
  EXPECT_EQ(window[0], 0);
  EXPECT_EQ(window[200], 1);
  EXPECT_NEAR(window[1], window[399], 1e-9);
}

}  // namespace
}  // namespace headroom::models
