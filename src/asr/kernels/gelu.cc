#include "asr/kernels/gelu.h"

#include <cstddef>
#include <numbers>

#include "asr/kernels/clones.h"
#include "asr/kernels/vector_math.h"

namespace headroom::kernels {
namespace {

HEADROOM_CLONES void GeluOf(const float* input, float* output, std::size_t n) {
  constexpr float kHalfRoot = std::numbers::sqrt2_v<float> / 2;
  for (std::size_t i = 0; i < n; ++i) {
    const float x = input[i];
    output[i] = 0.5F * x * (1.0F + VectorErf(x * kHalfRoot));
  }
}

}  // namespace

bool HasVectorGelu() {
  return kHasVectorMath;
}

void Gelu(std::span<const float> input, std::span<float> output) {
  GeluOf(input.data(), output.data(), input.size());
}

}  // namespace headroom::kernels
