#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "asr/kernels/attention.h"
#include "asr/testing/kernel_fixture.h"

namespace headroom::kernels {
namespace {

constexpr std::uint16_t kMinusInfinity = 0xFC00, kNoNumber = 0x7E00;

// Multiples of 1/64 from -1 to 1, which half precision has exactly.
struct Half {
  std::uint16_t bits;
  float value;
};
Half RandomHalf(std::mt19937& random) {
  const int sixty_fourths = static_cast<int>(random() % 129) - 64;
  const float value = static_cast<float>(sixty_fourths) / 64;
  return {HalfOf(value), value};
}

struct Shape {
  std::size_t heads, queries, keys, head_size, parts;
  bool masked;
};

class CachedAttentionTest : public testing::TestWithParam<Shape> {};

TEST_P(CachedAttentionTest, IsTheWeightedSumAndLooksAtNothingThatIsMasked) {
  const auto [heads, queries, keys, size, parts, masked] = GetParam();
  const VectorKernel kernel = BestAttentionKernel();
  if (kernel == VectorKernel::kNone) GTEST_SKIP() << "no AVX2 or no vectorised exp";
  std::mt19937 random(7);
  const std::size_t row = heads * size + 8;  // the heads of a row one after the other
  std::vector<float> q(queries * row);
  for (float& number : q) number = RandomHalf(random).value;
  std::vector<std::uint16_t> k(keys * row), v(keys * row), mask(heads * queries * (keys + 3));
  std::vector<float> k_values(k.size()), v_values(v.size()), added(mask.size());
  const auto fill = [&](auto& bits, auto& values) {
    for (std::size_t i = 0; i < bits.size(); ++i) {
      const Half half = RandomHalf(random);
      bits[i] = half.bits;
      values[i] = half.value;
    }
  };
  fill(k, k_values);
  fill(v, v_values);
  fill(mask, added);
  // Every third key is masked for every query and is NaN; the last query sees none.
  const auto hidden = [&](std::size_t query, std::size_t key) {
    return masked && (key % 3 == 1 || (queries > 1 && query + 1 == queries));
  };
  for (std::size_t key = 1; masked && key < keys; key += 3)
    for (std::size_t i = 0; i < row; ++i) k[key * row + i] = v[key * row + i] = kNoNumber;
  for (std::size_t row_of_mask = 0; row_of_mask < heads * queries; ++row_of_mask)
    for (std::size_t key = 0; key < keys; ++key)
      if (hidden(row_of_mask % queries, key)) mask[row_of_mask * (keys + 3) + key] = kMinusInfinity;

  constexpr float kUntouched = -12345.0F, kScale = 0.3F;
  std::vector<float> output(queries * row, kUntouched);
  const Attention<std::uint16_t> attention{
      .heads = heads,
      .queries = queries,
      .keys = keys,
      .head_size = size,
      .scale = kScale,
      .q = {q.data(), row, size},
      .k = {k.data(), row, size},
      .v = {v.data(), row, size},
      .mask = {masked ? mask.data() : nullptr, keys + 3, queries * (keys + 3)},
      .output = {output.data(), row, size}};
  for (std::size_t part = 0; part < parts; ++part) AttendCached(kernel, attention, part, parts);

  for (std::size_t query = 0; query < queries; ++query) {
    for (std::size_t head = 0; head < heads; ++head) {
      std::vector<double> expected(size);
      double sum = 0;
      for (std::size_t key = 0; key < keys; ++key) {
        if (hidden(query, key)) continue;
        double score = masked ? added[(head * queries + query) * (keys + 3) + key] : 0.0;
        for (std::size_t i = 0; i < size; ++i)
          score += static_cast<double>(kScale) * q[query * row + head * size + i] *
                   k_values[key * row + head * size + i];
        const double weight = std::exp(score);
        sum += weight;
        for (std::size_t i = 0; i < size; ++i)
          expected[i] += weight * v_values[key * row + head * size + i];
      }
      for (std::size_t i = 0; i < size; ++i)
        ASSERT_NEAR(output[query * row + head * size + i], sum > 0 ? expected[i] / sum : 0, 1e-5)
            << "query " << query << " head " << head;
    }
    for (std::size_t i = heads * size; i < row; ++i) ASSERT_EQ(output[query * row + i], kUntouched);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, CachedAttentionTest,
    testing::Values(Shape{1, 1, 1, 64, 1, false}, Shape{6, 1, 601, 64, 2, false},
                    Shape{8, 1, 1536, 64, 3, false}, Shape{8, 1, 33, 128, 16, false},
                    Shape{6, 4, 40, 64, 5, true}, Shape{2, 3, 7, 128, 1, true}),
    [](const auto& shape) {
      return std::to_string(shape.param.heads) + "x" + std::to_string(shape.param.queries) + "x" +
             std::to_string(shape.param.keys) + "of" + std::to_string(shape.param.head_size) +
             "in" + std::to_string(shape.param.parts) + (shape.param.masked ? "masked" : "");
    });

}  // namespace
}  // namespace headroom::kernels
