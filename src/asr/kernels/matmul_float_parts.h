// The ways to compute of matmul_float.cc, each compiled for its own instructions.
#pragma once

#include "asr/kernels/matmul_float.h"

namespace headroom::kernels {

void MultiplyFloatsAvx2(const FloatProduct& product, std::size_t part, std::size_t parts);
void MultiplyFloatsAvx512(const FloatProduct& product, std::size_t part, std::size_t parts);

}  // namespace headroom::kernels
