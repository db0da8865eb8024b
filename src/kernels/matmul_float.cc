#include "kernels/matmul_float.h"

#include "kernels/matmul_float_parts.h"

namespace headroom::kernels {

// Fewer columns do not pay for interleaving the weights.
constexpr std::size_t kFewestColumns = 8;

bool IsForFloatKernel(const FloatProduct& product) {
  return product.columns >= kFewestColumns && product.inner >= 1;
}

#ifdef __x86_64__

FloatKernel BestFloatKernel() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return FloatKernel::kAvx512;
  if (__builtin_cpu_supports("x86-64-v3")) return FloatKernel::kAvx2;
  return FloatKernel::kNone;
}

void MultiplyFloats(FloatKernel kernel, const FloatProduct& product, std::size_t part,
                    std::size_t parts) {
  if (kernel == FloatKernel::kAvx512)
    MultiplyFloatsAvx512(product, part, parts);
  else if (kernel == FloatKernel::kAvx2)
    MultiplyFloatsAvx2(product, part, parts);
}

#else

FloatKernel BestFloatKernel() {
  return FloatKernel::kNone;
}

void MultiplyFloats(FloatKernel, const FloatProduct&, std::size_t, std::size_t) {}

#endif

}  // namespace headroom::kernels
