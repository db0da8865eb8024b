// GELU by the error function, x/2 (1 + erf(x/√2)) (Hendrycks and Gimpel, "Gaussian Error Linear
// Units", 2016), many numbers at a time by the C library's vectorised erf (libmvec: errors of at
// most 4 units in the last place).
#pragma once

#include <span>

namespace headroom::kernels {

/// Whether the C library has a vectorised one for this CPU; otherwise Gelu computes number by
/// number.
bool HasVectorGelu();

/// output[i] of input[i]; both are as long, and may be the same.
void Gelu(std::span<const float> input, std::span<float> output);

}  // namespace headroom::kernels
