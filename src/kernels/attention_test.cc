#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace headroom::kernels {
namespace {

struct Shape {
  std::size_t heads, queries, keys, parts;
};

std::vector<float> Random(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(n);
  for (float& number : numbers) number = normal(random);
  return numbers;
}

// One output row, by the formula.
std::vector<double> Expected(const Attention& a, std::size_t head, std::size_t query) {
  const float* q = a.q.data + head * a.q.head_stride + query * a.q.row_stride;
  std::vector<double> weights(a.keys), row(kHeadSize);
  double most = -1e300, sum = 0;
  for (std::size_t key = 0; key < a.keys; ++key) {
    const float* k = a.k.data + head * a.k.head_stride + key * a.k.row_stride;
    double dot = 0;
    for (std::size_t i = 0; i < kHeadSize; ++i) dot += static_cast<double>(q[i]) * k[i];
    weights[key] = dot * a.scale;
    most = std::max(most, weights[key]);
  }
  for (double& weight : weights) sum += weight = std::exp(weight - most);
  for (std::size_t key = 0; key < a.keys; ++key) {
    const float* v = a.v.data + head * a.v.head_stride + key * a.v.row_stride;
    for (std::size_t i = 0; i < kHeadSize; ++i) row[i] += weights[key] / sum * v[i];
  }
  return row;
}

std::vector<AttentionKernel> KernelsHere() {
  const AttentionKernel best = BestAttentionKernel();
  if (best == AttentionKernel::kAvx512) return {AttentionKernel::kAvx2, best};
  if (best == AttentionKernel::kAvx2) return {best};
  return {};
}

class AttentionTest : public testing::TestWithParam<Shape> {};

TEST_P(AttentionTest, IsTheFormulaAndNothingElseIsWritten) {
  const auto [heads, queries, keys, parts] = GetParam();
  const auto kernels = KernelsHere();
  if (kernels.empty()) GTEST_SKIP() << "no kernel for this processor and C library";
  // Rows and heads with gaps between them.
  const std::size_t row = kHeadSize + 8, gap = 24;
  const auto q = Random(heads * (queries * row + gap), 1);
  const auto k = Random(heads * (keys * row + gap), 2);
  const auto v = Random(heads * (keys * row + gap), 3);
  constexpr float kUntouched = -12345.0F;
  for (const AttentionKernel kernel : kernels) {
    const std::size_t stride = heads * kHeadSize + 5;
    std::vector<float> output(queries * stride, kUntouched);
    const Attention attention{.heads = heads,
                              .queries = queries,
                              .keys = keys,
                              .scale = 0.3F,
                              .q = {q.data(), row, queries * row + gap},
                              .k = {k.data(), row, keys * row + gap},
                              .v = {v.data(), row, keys * row + gap},
                              .output = {output.data(), stride, kHeadSize}};
    for (std::size_t part = 0; part < parts; ++part) Attend(kernel, attention, part, parts);
    for (std::size_t query = 0; query < queries; ++query) {
      for (std::size_t head = 0; head < heads; ++head) {
        const auto expected = Expected(attention, head, query);
        for (std::size_t i = 0; i < kHeadSize; ++i)
          ASSERT_NEAR(output[query * stride + head * kHeadSize + i], expected[i], 1e-4)
              << "query " << query << " head " << head << " kernel " << static_cast<int>(kernel);
      }
      for (std::size_t i = heads * kHeadSize; i < stride; ++i)
        ASSERT_EQ(output[query * stride + i], kUntouched);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTest,
                         testing::Values(Shape{1, 1, 1, 1}, Shape{1, 8, 32, 1}, Shape{2, 9, 33, 2},
                                         Shape{3, 37, 50, 5}, Shape{2, 20, 1536, 3},
                                         Shape{1, 3, 7, 8}),
                         [](const auto& shape) {
                           return std::to_string(shape.param.heads) + "x" +
                                  std::to_string(shape.param.queries) + "x" +
                                  std::to_string(shape.param.keys) + "in" +
                                  std::to_string(shape.param.parts);
                         });

}  // namespace
}  // namespace headroom::kernels
