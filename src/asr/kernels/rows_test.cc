#include "asr/kernels/rows.h"

#include <gtest/gtest.h>

#include <vector>

namespace headroom::kernels {
namespace {

TEST(Rows, AreCombinedWithOneNumberAndNothingElseIsWritten) {
  for (const std::size_t n : {0, 1, 7, 16, 33, 1000}) {
    std::vector<float> input(n), sums(n + 1, -1.0F), products(n + 1, -1.0F);
    for (std::size_t i = 0; i < n; ++i) input[i] = static_cast<float>(i) - 3;
    AddToAll(input, 0.5F, std::span(sums).first(n));
    MultiplyAll(input, 0.5F, std::span(products).first(n));
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_EQ(sums[i], input[i] + 0.5F) << n;
      ASSERT_EQ(products[i], input[i] * 0.5F) << n;
    }
    EXPECT_EQ(sums[n], -1.0F);
    EXPECT_EQ(products[n], -1.0F);
    AddToAll(input, 2, input);
    for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(input[i], static_cast<float>(i) - 1);
  }
}

}  // namespace
}  // namespace headroom::kernels
