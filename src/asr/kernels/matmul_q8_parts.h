// The ways to compute of matmul_q8.cc, each compiled for its own instructions.
#pragma once

#include "asr/kernels/matmul_q8.h"

namespace headroom::kernels {

constexpr std::size_t kQ8MostBlocks = 200;  // of a row; one tile is then half a panel

void MultiplyQ8Avx2(const Q8Product& product, std::size_t part, std::size_t parts);
void MultiplyQ8AvxVnni(const Q8Product& product, std::size_t part, std::size_t parts);
void MultiplyQ8Avx512(const Q8Product& product, std::size_t part, std::size_t parts);

}  // namespace headroom::kernels
