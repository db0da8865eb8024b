#include "asr/kernels/gelu.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace headroom::kernels {
namespace {

TEST(GeluTest, IsTheFormulaAtEveryLengthAndInPlace) {
  for (const std::size_t n : {0, 1, 7, 16, 33, 1000}) {
    std::vector<float> input(n), output(n, -1.0F);
    for (std::size_t i = 0; i < n; ++i) input[i] = -6.0F + 0.012F * static_cast<float>(i);
    Gelu(input, output);
    std::vector<float> in_place = input;
    Gelu(in_place, in_place);
    for (std::size_t i = 0; i < n; ++i) {
      const double x = input[i];
      const double expected = x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
      EXPECT_NEAR(output[i], expected, 1e-6) << x;
      EXPECT_EQ(in_place[i], output[i]);
    }
  }
}

TEST(GeluTest, KeepsWhatIsNotANumber) {
  const std::vector<float> input(20, std::numeric_limits<float>::quiet_NaN());
  std::vector<float> output(20);
  Gelu(input, output);
  for (const float value : output) EXPECT_TRUE(std::isnan(value));
}

}  // namespace
}  // namespace headroom::kernels
