// What the tests of kernels share.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "asr/kernels/vector_kernel.h"

namespace headroom::kernels {

/// IEEE 754 binary16 of a number that it holds exactly, and not as a subnormal one.
inline std::uint16_t HalfOf(float number) {
  if (number == 0) return 0;
  int exponent = 0;
  const float mantissa = std::frexp(std::fabs(number), &exponent);
  const int bits = (exponent + 14) << 10 | (static_cast<int>(std::ldexp(mantissa, 11)) & 0x3FF);
  return static_cast<std::uint16_t>(bits | (number < 0 ? 0x8000 : 0));
}

/// `best` and what is below it; empty for none.
inline std::vector<VectorKernel> KernelsUpTo(VectorKernel best) {
  if (best == VectorKernel::kAvx512) return {VectorKernel::kAvx2, best};
  if (best == VectorKernel::kAvx2) return {best};
  return {};
}

}  // namespace headroom::kernels
