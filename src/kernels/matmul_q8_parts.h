// The ways to compute of matmul_q8.cc, each compiled for its own instructions.
#pragma once

#include "kernels/matmul_q8.h"

namespace headroom::kernels {

void MultiplyQ8Avx2(const Q8Product& product, std::size_t part, std::size_t parts);
void MultiplyQ8AvxVnni(const Q8Product& product, std::size_t part, std::size_t parts);
void MultiplyQ8Avx512(const Q8Product& product, std::size_t part, std::size_t parts);

}  // namespace headroom::kernels
