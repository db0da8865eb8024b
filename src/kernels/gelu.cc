#include "kernels/gelu.h"

#include <cmath>
#include <cstddef>
#include <numbers>

// glibc 2.35 brought erff for vectors; its own header declares them under -ffast-math only.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GLIBC_PREREQ(2, 35)
#define HEADROOM_VECTOR_ERF 1
extern "C" __attribute__((simd("notinbranch"))) float erff(float) noexcept;
// The loader picks the clone that is best for this processor.
#define HEADROOM_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define HEADROOM_CLONES
#endif

namespace headroom::kernels {
namespace {

HEADROOM_CLONES void GeluOf(const float* input, float* output, std::size_t n) {
  constexpr float kHalfRoot = std::numbers::sqrt2_v<float> / 2;
  for (std::size_t i = 0; i < n; ++i) {
    const float x = input[i];
    output[i] = 0.5F * x * (1.0F + erff(x * kHalfRoot));
  }
}

}  // namespace

bool HasQuickGelu() {
#ifdef HEADROOM_VECTOR_ERF
  return true;
#else
  return false;
#endif
}

void Gelu(std::span<const float> input, std::span<float> output) {
  GeluOf(input.data(), output.data(), input.size());
}

}  // namespace headroom::kernels
