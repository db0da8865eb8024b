#include "asr/kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "asr/testing/kernel_fixture.h"

namespace headroom::kernels {
namespace {

constexpr std::uint16_t kMinusInfinity = 0xFC00;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::pair<float, std::uint16_t> kNoNumber{std::numeric_limits<float>::quiet_NaN(),
                                                    0x7E00};

float ValueOf(float number) {
  return number;
}
float ValueOf(std::uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  const float size = exponent == 31 ? (fraction ? kNoNumber.first : kInfinity)
                     : exponent == 0
                         ? std::ldexp(static_cast<float>(fraction), -24)
                         : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  return half >> 15 ? -size : size;
}

template <class Number>
std::vector<Number> Random(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Number> numbers(n);
  if constexpr (std::is_same_v<Number, float>) {
    std::normal_distribution<float> normal;
    for (float& number : numbers) number = normal(random);
  } else {  // from 1/16 to 2, and negative
    for (Number& half : numbers)
      half = static_cast<Number>((random() & 0x83FF) | (11 + random() % 5) << 10);
  }
  return numbers;
}

// One output row, by the formula.
template <class Number>
std::vector<double> Expected(const Attention<Number>& a, std::size_t head, std::size_t query) {
  const float* q = a.q.data + head * a.q.head_stride + query * a.q.row_stride;
  std::vector<double> weights(a.keys), row(a.head_size);
  double most = -1e300, sum = 0;
  for (std::size_t key = 0; key < a.keys; ++key) {
    const std::size_t at = head * a.mask.head_stride + query * a.mask.row_stride + key;
    const double added = a.mask.data ? ValueOf(a.mask.data[at]) : 0.0F;
    if (added == -kInfinity) {
      weights[key] = added;
      continue;
    }
    const Number* k = a.k.data + head * a.k.head_stride + key * a.k.row_stride;
    double dot = 0;
    for (std::size_t i = 0; i < a.head_size; ++i) dot += static_cast<double>(q[i]) * ValueOf(k[i]);
    weights[key] = dot * a.scale + added;
    most = std::max(most, weights[key]);
  }
  for (double& weight : weights) sum += weight = std::exp(weight - most);
  for (std::size_t key = 0; key < a.keys; ++key) {
    if (weights[key] == 0) continue;
    const Number* v = a.v.data + head * a.v.head_stride + key * a.v.row_stride;
    for (std::size_t i = 0; i < a.head_size; ++i) row[i] += weights[key] / sum * ValueOf(v[i]);
  }
  return row;
}

struct Shape {
  std::size_t heads, queries, keys, parts;
};
enum class Mask { kNone, kShared, kOfEach };  // of all heads, of each

class AttentionTest : public testing::TestWithParam<std::tuple<Shape, std::size_t, Mask>> {
 protected:
  template <class Number>
  static void Check(VectorKernel kernel);
};

template <class Number>
void AttentionTest::Check(VectorKernel kernel) {
  const auto& [shape, size, masked] = GetParam();
  const auto& [heads, queries, keys, parts] = shape;
  // Rows and heads with gaps between them.
  const std::size_t row = size + 8, gap = 24, mask_row = keys + 3,
                    mask_head = masked == Mask::kOfEach ? queries * mask_row + 5 : 0;
  const auto q = Random<float>(heads * (queries * row + gap), 1);
  auto k = Random<Number>(heads * (keys * row + gap), 2);
  auto v = Random<Number>(heads * (keys * row + gap), 3);
  auto mask = Random<std::uint16_t>((heads - 1) * mask_head + (queries - 1) * mask_row + keys, 4);
  for (std::size_t head = 0; masked != Mask::kNone && head < heads; ++head) {
    for (std::size_t key = 0; key < keys; ++key) {
      // Every third key is masked for every query and is NaN, and one value is none that the first
      // query sees. The last of several queries sees nothing.
      const bool third = key % 3 == 1, for_first = key == 2;
      for (std::size_t query = 0; query < queries; ++query)
        if (third || (query > 0 && (for_first || query + 1 == queries)))
          mask[head * mask_head + query * mask_row + key] = kMinusInfinity;
      const std::size_t at = head * (keys * row + gap) + key * row;
      if (third) std::fill_n(&k[at], size, std::get<Number>(kNoNumber));
      if (third || for_first) std::fill_n(&v[at], size, std::get<Number>(kNoNumber));
    }
  }

  constexpr float kUntouched = -12345.0F;
  const std::size_t stride = heads * size + 5;
  std::vector<float> output(queries * stride, kUntouched);
  const Attention<Number> attention{
      .heads = heads,
      .queries = queries,
      .keys = keys,
      .head_size = size,
      .scale = 0.3F,
      .q = {q.data(), row, queries * row + gap},
      .k = {k.data(), row, keys * row + gap},
      .v = {v.data(), row, keys * row + gap},
      .mask = {masked == Mask::kNone ? nullptr : mask.data(), mask_row, mask_head},
      .output = {output.data(), stride, size}};
  for (std::size_t part = 0; part < parts; ++part) Attend(kernel, attention, part, parts);
  for (std::size_t query = 0; query < queries; ++query) {
    for (std::size_t head = 0; head < heads; ++head) {
      const auto expected = Expected(attention, head, query);
      for (std::size_t i = 0; i < size; ++i) {
        const float got = output[query * stride + head * size + i];
        if (std::isnan(expected[i]) && std::isnan(got)) continue;
        ASSERT_NEAR(got, expected[i], 1e-4)
            << "query " << query << " head " << head << " kernel " << static_cast<int>(kernel);
      }
    }
    for (std::size_t i = heads * size; i < stride; ++i)
      ASSERT_EQ(output[query * stride + i], kUntouched);
  }
}

TEST_P(AttentionTest, IsTheFormulaAndNothingElseIsWritten) {
  const auto kernels = KernelsUpTo(BestAttentionKernel());
  if (kernels.empty()) GTEST_SKIP() << "no kernel for this CPU and C library";
  for (const VectorKernel kernel : kernels) {
    Check<float>(kernel);
    Check<std::uint16_t>(kernel);
  }
}

std::string NameOf(const testing::TestParamInfo<AttentionTest::ParamType>& parameters) {
  const auto& [shape, size, masked] = parameters.param;
  constexpr const char* kMasks[] = {"", "masked", "maskedEach"};
  return std::to_string(shape.heads) + "x" + std::to_string(shape.queries) + "x" +
         std::to_string(shape.keys) + "of" + std::to_string(size) + "in" +
         std::to_string(shape.parts) + kMasks[static_cast<int>(masked)];
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, AttentionTest,
    testing::Combine(testing::Values(Shape{1, 1, 1, 1}, Shape{1, 8, 32, 1}, Shape{2, 9, 33, 2},
                                     Shape{3, 37, 50, 5}, Shape{2, 20, 1536, 3}, Shape{1, 3, 7, 8}),
                     testing::Values(64, 128),
                     testing::Values(Mask::kNone, Mask::kShared, Mask::kOfEach)),
    NameOf);

}  // namespace
}  // namespace headroom::kernels
