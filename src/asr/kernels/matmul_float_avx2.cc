// Compiled for AVX2 with FMA: nothing of it may run, or be inlined elsewhere, without them.
#include "asr/kernels/matmul_float_parts.h"
#include "asr/kernels/matmul_float_tiles.h"

namespace headroom::kernels {

void MultiplyFloatsAvx2(const FloatProduct& product, std::size_t part, std::size_t parts) {
  FloatTiles<Avx2Floats, 6>::Multiply(product, part, parts);
}

}  // namespace headroom::kernels
