// Compiled for AVX-512: nothing of it may run, or be inlined elsewhere, without it.
#include "asr/kernels/matmul_float_parts.h"
#include "asr/kernels/matmul_float_tiles.h"

namespace headroom::kernels {

void MultiplyFloatsAvx512(const FloatProduct& product, std::size_t part, std::size_t parts) {
  FloatTiles<Avx512Floats, 12>::Multiply(product, part, parts);
}

}  // namespace headroom::kernels
