#include "audio/format/finite_audio.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace headroom::audio {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(MakeFinite, RepairsWhatIsNotAudio) {
  std::vector<float> samples{0.5F, kNaN, -kInfinity, 1e30F, -20.0F, -1.5F};
  EXPECT_FALSE(IsFinite(samples));
  EXPECT_EQ(MakeFinite(samples), 4U);
  EXPECT_TRUE(IsFinite(samples));
  EXPECT_EQ(samples, (std::vector<float>{0.5F, 0, 0, kLoudestSample, -kLoudestSample, -1.5F}));
}

TEST(FiniteSpan, IsFiniteWhateverItIsMadeOf) {
  std::vector<float> samples{0.5F, kNaN, kInfinity};
  EXPECT_TRUE(IsFinite(FiniteSpan(samples).samples()));
  EXPECT_EQ(FiniteSpan::OfFinite(samples).samples().data(), samples.data()) << "no copy";
}

TEST(FiniteAudio, IsFiniteWhateverItIsMadeOf) {
  const FiniteAudio audio(std::vector<float>{0.5F, kNaN, kInfinity});
  EXPECT_EQ(std::vector<float>(audio.samples().begin(), audio.samples().end()),
            (std::vector<float>{0.5F, 0, 0}));
  EXPECT_EQ(FiniteAudio(std::vector<float>(16'000)).duration(), Milliseconds(1'000));
}

TEST(FiniteAudio, ACopySharesItsSamples) {
  const FiniteAudio audio(std::vector<float>{0.5F});
  const FiniteAudio copy = audio;
  EXPECT_EQ(copy.samples().data(), audio.samples().data());
  EXPECT_EQ(copy, audio);
  EXPECT_NE(FiniteAudio(std::vector<float>{0.5F}), audio) << "equal, but another buffer";
}

TEST(FiniteAudio, MayBeEmpty) {
  EXPECT_TRUE(FiniteAudio().empty());
  EXPECT_TRUE(FiniteAudio(std::vector<float>()).samples().empty());
}

}  // namespace
}  // namespace headroom::audio
