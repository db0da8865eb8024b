#include "net/server/client_audio.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numbers>

namespace headroom::net {
namespace {

using Octets = std::vector<std::uint8_t>;
using Coding = ClientFormat::Coding;

Octets Sine(double hertz, int rate, std::size_t count, double size = 0.5) {
  Octets bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const double at = 2 * std::numbers::pi * hertz * static_cast<double>(i) / rate;
    const auto sample = static_cast<std::int16_t>(std::lround(32767 * size * std::sin(at)));
    bytes.push_back(static_cast<std::uint8_t>(sample & 0xff));
    bytes.push_back(static_cast<std::uint8_t>(sample >> 8 & 0xff));
  }
  return bytes;
}

std::vector<float> All(ClientFormat format, const Octets& bytes) {
  AudioDecoder intake(format);
  std::vector<float> samples = intake.Take(bytes);
  const std::vector<float> rest = intake.Finish();
  samples.insert(samples.end(), rest.begin(), rest.end());
  return samples;
}

double Power(std::span<const float> samples) {
  double sum = 0;
  for (const float sample : samples) sum += double{sample} * double{sample};
  return sum / static_cast<double>(samples.size());
}

TEST(Base64, DecodesAndRefuses) {
  EXPECT_EQ(CheckBase64("").value(), 0U);
  EXPECT_TRUE(DecodeBase64("").empty());
  EXPECT_EQ(CheckBase64("AAEC").value(), 3U);
  EXPECT_EQ(DecodeBase64("AAEC"), (Octets{0, 1, 2}));
  EXPECT_EQ(CheckBase64("/+8=").value(), 2U);
  EXPECT_EQ(DecodeBase64("/+8="), (Octets{0xff, 0xef}));
  EXPECT_EQ(CheckBase64("gA==").value(), 1U);
  EXPECT_EQ(DecodeBase64("gA=="), (Octets{0x80}));
  for (const char* const bad :
       {"A", "AAE", "AA=C", "=AAA", "A===", "====", "AA-_", "AA\nA", "AAE\n", "AAE ", "AAE\x80"})
    EXPECT_FALSE(CheckBase64(bad)) << bad;
  EXPECT_FALSE(CheckBase64(std::string_view("AA\0A", 4)));
}

TEST(AudioDecoder, SixteenKilohertzIsTakenAsItIs) {
  AudioDecoder intake({Coding::kPcm16, 16'000});
  EXPECT_EQ(intake.Take(Octets{0x00, 0x80, 0xff, 0x7f, 0x00, 0x00, 0x01}),
            (std::vector<float>{-1, 32767.0F / 32768, 0}));
  EXPECT_EQ(intake.Take(Octets{0x00}), std::vector<float>{1.0F / 32768});
  EXPECT_TRUE(intake.Finish().empty());
}

// The values of G.711's tables 1a and 2a: the ends, the least, and one in the middle.
TEST(AudioDecoder, G711) {
  AudioDecoder ulaw({Coding::kUlaw, 8'000}), alaw({Coding::kAlaw, 8'000});
  const auto level = [](AudioDecoder& intake, std::uint8_t code) {
    intake.Clear();
    static_cast<void>(intake.Take(Octets(800, code)));
    return double{intake.Take(Octets(400, code)).back()} * 32768;
  };
  EXPECT_NEAR(level(ulaw, 0x00), -32124, 20);
  EXPECT_NEAR(level(ulaw, 0x80), 32124, 20);
  EXPECT_NEAR(level(ulaw, 0xff), 0, 1);
  EXPECT_NEAR(level(ulaw, 0x8f), 16764, 10);
  EXPECT_NEAR(level(alaw, 0x2a), -32256, 20);
  EXPECT_NEAR(level(alaw, 0xaa), 32256, 20);
  EXPECT_NEAR(level(alaw, 0xd5), 8, 1);
  EXPECT_NEAR(level(alaw, 0x55), -8, 1);
}

TEST(AudioDecoder, SplitAnywhereTheSamplesAreTheSame) {
  for (const int rate : kClientRates) {
    const ClientFormat format{Coding::kPcm16, rate};
    const Octets bytes = Sine(440, rate, 3000);
    const std::vector<float> whole = All(format, bytes);
    for (const std::size_t step : {1U, 2U, 3U, 7U, 160U, 481U, 4095U}) {
      AudioDecoder intake(format);
      std::vector<float> samples;
      for (std::size_t at = 0; at < bytes.size(); at += step) {
        const auto part =
            intake.Take(std::span(bytes).subspan(at, std::min(step, bytes.size() - at)));
        samples.insert(samples.end(), part.begin(), part.end());
      }
      const auto rest = intake.Finish();
      samples.insert(samples.end(), rest.begin(), rest.end());
      EXPECT_EQ(samples, whole) << rate << " Hz by " << step;
    }
  }
}

// What is not the sine that it should be is at least 70 dB below it, from the first sample on.
TEST(AudioDecoder, ASineStaysASine) {
  for (const int rate : kClientRates) {
    const auto count = static_cast<std::size_t>(rate);
    const std::vector<float> samples = All({Coding::kPcm16, rate}, Sine(1000, rate, count));
    ASSERT_EQ(samples.size(), 16'000U) << rate;
    std::vector<float> error;
    for (std::size_t i = 160; i < samples.size() - 160; ++i) {
      const double at = 2 * std::numbers::pi * 1000 * static_cast<double>(i) / 16'000;
      error.push_back(samples[i] - static_cast<float>(0.5 * std::sin(at)));
    }
    EXPECT_GT(10 * std::log10(0.125 / Power(error)), 70) << rate;
  }
}

// 10 kHz is above what 16 kHz can hold: it has to vanish and not come back as 6 kHz.
TEST(AudioDecoder, WhatIsTooHighVanishes) {
  for (const int rate : {24'000, 44'100, 48'000}) {
    const std::vector<float> samples =
        All({Coding::kPcm16, rate}, Sine(10'000, rate, static_cast<std::size_t>(rate)));
    EXPECT_LT(10 * std::log10(Power(std::span(samples).subspan(160, 15'000)) / 0.125), -70) << rate;
  }
}

TEST(AudioDecoder, FinishGivesTheWholeAndBeginsAnew) {
  AudioDecoder intake({Coding::kPcm16, 24'000});
  const Octets bytes = Sine(300, 24'000, 2401);
  const auto once = [&] {
    std::vector<float> samples = intake.Take(bytes);
    const auto rest = intake.Finish();
    samples.insert(samples.end(), rest.begin(), rest.end());
    return samples;
  };
  const std::vector<float> first = once();
  EXPECT_EQ(first.size(), 1601U);             // 2401 * 2 / 3, rounded up
  static_cast<void>(intake.Take(Octets{1}));  // half of a sample is not left for what follows
  EXPECT_TRUE(intake.Finish().empty());
  EXPECT_EQ(once(), first);
  static_cast<void>(intake.Take(bytes));
  static_cast<void>(intake.Take(Octets{1}));
  intake.Clear();
  EXPECT_EQ(once(), first);
}

}  // namespace
}  // namespace headroom::net
