#include "asr/kernels/matmul_float.h"

#include "asr/kernels/matmul_float_parts.h"

namespace headroom::kernels {

// Fewer columns do not pay for interleaving the weights.
constexpr std::size_t kFewestColumns = 8;

bool IsForFloatKernel(const FloatProduct& product) {
  return product.columns >= kFewestColumns && product.inner >= 1;
}

#ifdef __x86_64__

void MultiplyFloats(VectorKernel kernel, const FloatProduct& product, std::size_t part,
                    std::size_t parts) {
  if (kernel == VectorKernel::kAvx512)
    MultiplyFloatsAvx512(product, part, parts);
  else if (kernel == VectorKernel::kAvx2)
    MultiplyFloatsAvx2(product, part, parts);
}

#else

void MultiplyFloats(VectorKernel, const FloatProduct&, std::size_t, std::size_t) {}

#endif

}  // namespace headroom::kernels
