#include "asr/kernels/matmul_float.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "asr/testing/kernel_fixture.h"

namespace headroom::kernels {
namespace {

// Small multiples of 1/16, which half precision holds exactly, so that only the order of additions
// differs.
struct Matrix {
  Matrix(std::size_t vectors, std::size_t inner, std::size_t gap, bool in_halves, unsigned seed)
      : stride(inner + gap), numbers(vectors * stride), halves(in_halves ? numbers.size() : 0) {
    std::mt19937 random(seed);
    for (float& number : numbers) number = static_cast<float>(random() % 63) / 16 - 31.0F / 16;
    for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = HalfOf(numbers[i]);
  }
  FloatMatrix view() const {
    if (halves.empty()) return {numbers.data(), false, stride};
    return {halves.data(), true, stride};
  }

  std::size_t stride;
  std::vector<float> numbers;
  std::vector<std::uint16_t> halves;
};

struct Shape {
  std::size_t rows, columns, inner, parts;
};

class MatmulFloatTest : public testing::TestWithParam<Shape> {};

TEST_P(MatmulFloatTest, IsTheSumOfTheProductsAndNothingElseIsWritten) {
  const auto [rows, columns, inner, parts] = GetParam();
  const std::vector<VectorKernel> kernels = KernelsUpTo(BestVectorKernel());
  if (kernels.empty()) GTEST_SKIP() << "this CPU has no AVX2";
  const std::size_t stride = rows + 3;
  for (const bool halves : {false, true}) {
    const Matrix weights(rows, inner, 1, halves, 1);
    for (const bool halves_in : {false, true}) {
      const Matrix input(columns, inner, 5, halves_in, 2);
      for (const VectorKernel kernel : kernels) {
        constexpr float kUntouched = -12345.0F;
        std::vector<float> output(columns * stride, kUntouched);
        const FloatProduct product{.rows = rows,
                                   .columns = columns,
                                   .inner = inner,
                                   .weights = weights.view(),
                                   .input = input.view(),
                                   .output = output.data(),
                                   .output_stride = stride};
        for (std::size_t part = 0; part < parts; ++part)
          MultiplyFloats(kernel, product, part, parts);
        for (std::size_t c = 0; c < columns; ++c) {
          for (std::size_t r = 0; r < stride; ++r) {
            double expected = r < rows ? 0 : kUntouched;
            for (std::size_t i = 0; r < rows && i < inner; ++i)
              expected += static_cast<double>(weights.numbers[r * weights.stride + i]) *
                          input.numbers[c * input.stride + i];
            // Every addition rounds to at most half a unit of the partial sum.
            ASSERT_NEAR(output[c * stride + r], expected, static_cast<double>(inner) * 4 * 1e-6)
                << "row " << r << " column " << c << " kernel " << static_cast<int>(kernel)
                << " halves " << halves << halves_in;
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, MatmulFloatTest,
                         testing::Values(Shape{1, 8, 1, 1}, Shape{15, 9, 9, 1}, Shape{16, 8, 64, 2},
                                         Shape{33, 13, 255, 2}, Shape{40, 25, 257, 7},
                                         Shape{300, 30, 300, 3}, Shape{275, 138, 64, 2},
                                         Shape{100, 11, 1024, 16}),
                         [](const auto& shape) {
                           return std::to_string(shape.param.rows) + "x" +
                                  std::to_string(shape.param.columns) + "x" +
                                  std::to_string(shape.param.inner) + "in" +
                                  std::to_string(shape.param.parts);
                         });

TEST(MatmulFloat, IsForManyColumns) {
  EXPECT_TRUE(IsForFloatKernel({.rows = 16, .columns = 8, .inner = 12}));
  EXPECT_FALSE(IsForFloatKernel({.rows = 16, .columns = 7, .inner = 12}));
  EXPECT_FALSE(IsForFloatKernel({.rows = 16, .columns = 8, .inner = 0}));
}

}  // namespace
}  // namespace headroom::kernels
