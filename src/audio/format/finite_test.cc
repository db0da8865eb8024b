#include "audio/format/finite.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace headroom::audio {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(MakeFinite, RepairsWhatIsNotAudio) {
  std::vector<float> samples{0.5F, kNaN, -kInfinity, 1e30F, -20.0F, -1.5F};
  EXPECT_EQ(MakeFinite(samples), 4U);
  EXPECT_EQ(samples, (std::vector<float>{0.5F, 0, 0, kLoudestSample, -kLoudestSample, -1.5F}));
}

}  // namespace
}  // namespace headroom::audio
