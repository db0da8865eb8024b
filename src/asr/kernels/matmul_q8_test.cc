#include "asr/kernels/matmul_q8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace headroom::kernels {
namespace {

// 1.0, 0.5 and 0.25 in half precision: exact, so that only the order of additions differs.
constexpr std::uint16_t kHalves[] = {0x3C00, 0x3800, 0x3400};
constexpr float kFactors[] = {1.0F, 0.5F, 0.25F};

struct Matrix {
  Matrix(std::size_t vectors, std::size_t blocks, std::size_t gap, unsigned seed)
      : stride(blocks + gap), data(vectors * stride) {
    std::mt19937 random(seed);
    for (Q8Block& block : data) {
      block.factor = kHalves[random() % 3];
      for (std::int8_t& code : block.codes) code = static_cast<std::int8_t>(random() % 256);
    }
  }
  float Factor(std::size_t vector, std::size_t block) const {
    const std::uint16_t half = data[vector * stride + block].factor;
    for (std::size_t i = 0; i < 3; ++i)
      if (kHalves[i] == half) return kFactors[i];
    return std::numeric_limits<float>::quiet_NaN();
  }

  std::size_t stride;
  std::vector<Q8Block> data;
};

double Element(const Matrix& weights, std::size_t row, const Matrix& input, std::size_t column,
               std::size_t blocks) {
  double sum = 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    int products = 0;
    for (int i = 0; i < 32; ++i)
      products += weights.data[row * weights.stride + b].codes[i] *
                  input.data[column * input.stride + b].codes[i];
    sum += static_cast<double>(weights.Factor(row, b)) * input.Factor(column, b) * products;
  }
  return sum;
}

std::vector<Q8Kernel> KernelsHere() {
  std::vector<Q8Kernel> kernels;
  const Q8Kernel best = BestQ8Kernel();
  if (best != Q8Kernel::kNone) kernels.push_back(best);
#ifdef __x86_64__
  if (best > Q8Kernel::kAvxVnni && __builtin_cpu_supports("avxvnni"))
    kernels.push_back(Q8Kernel::kAvxVnni);
  if (best > Q8Kernel::kAvx2) kernels.push_back(Q8Kernel::kAvx2);
#endif
  return kernels;
}

struct Shape {
  std::size_t rows, columns, blocks, parts;
};

class MatmulQ8Test : public testing::TestWithParam<Shape> {};

TEST_P(MatmulQ8Test, IsTheSumOfTheProductsAndNothingElseIsWritten) {
  const auto [rows, columns, blocks, parts] = GetParam();
  const std::vector<Q8Kernel> kernels = KernelsHere();
  if (kernels.empty()) GTEST_SKIP() << "this CPU has no AVX2";
  const Matrix weights(rows, blocks, 1, 1);
  const Matrix input(columns, blocks, 2, 2);
  const std::size_t stride = rows + 3;
  for (const Q8Kernel kernel : kernels) {
    constexpr float kUntouched = -12345.0F;
    std::vector<float> output(columns * stride, kUntouched);
    const Q8Product product{.rows = rows,
                            .columns = columns,
                            .blocks = blocks,
                            .weights = weights.data.data(),
                            .weights_stride = weights.stride,
                            .input = input.data.data(),
                            .input_stride = input.stride,
                            .output = output.data(),
                            .output_stride = stride};
    for (std::size_t part = 0; part < parts; ++part) MultiplyQ8(kernel, product, part, parts);
    for (std::size_t c = 0; c < columns; ++c) {
      for (std::size_t r = 0; r < stride; ++r) {
        const double expected = r < rows ? Element(weights, r, input, c, blocks) : kUntouched;
        // Every block adds a rounding of at most half a unit of the partial sum.
        const double most = static_cast<double>(blocks) * 32 * 128 * 128;
        ASSERT_NEAR(output[c * stride + r], expected, most * 1e-6)
            << "row " << r << " column " << c << " kernel " << static_cast<int>(kernel);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, MatmulQ8Test,
                         testing::Values(Shape{1, 8, 1, 1}, Shape{15, 9, 2, 1}, Shape{16, 8, 12, 2},
                                         Shape{17, 13, 12, 2}, Shape{40, 21, 12, 7},
                                         Shape{384, 30, 12, 3}, Shape{100, 11, 48, 16},
                                         Shape{33, 8, 200, 2}),
                         [](const auto& shape) {
                           return std::to_string(shape.param.rows) + "x" +
                                  std::to_string(shape.param.columns) + "x" +
                                  std::to_string(shape.param.blocks) + "in" +
                                  std::to_string(shape.param.parts);
                         });

TEST(MatmulQ8, IsForManyColumnsAndForRowsThatFit) {
  EXPECT_TRUE(IsForQ8Kernel({.rows = 16, .columns = 8, .blocks = 12}));
  EXPECT_FALSE(IsForQ8Kernel({.rows = 16, .columns = 4, .blocks = 12}));
  EXPECT_FALSE(IsForQ8Kernel({.rows = 16, .columns = 8, .blocks = 0}));
  EXPECT_FALSE(IsForQ8Kernel({.rows = 16, .columns = 8, .blocks = 201}));
}

}  // namespace
}  // namespace headroom::kernels
