#include "asr/kernels/matmul_q8.h"

#include "asr/kernels/matmul_q8_parts.h"

namespace headroom::kernels {

// Fewer columns do not pay for interleaving the weights.
constexpr std::size_t kFewestColumns = 8;

bool IsForQ8Kernel(const Q8Product& product) {
  return product.columns >= kFewestColumns && product.blocks >= 1 &&
         product.blocks <= kQ8MostBlocks;
}

#ifdef __x86_64__

Q8Kernel BestQ8Kernel() {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  if (!avx2) return Q8Kernel::kNone;
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
    return Q8Kernel::kAvx512Vnni;
  return __builtin_cpu_supports("avxvnni") ? Q8Kernel::kAvxVnni : Q8Kernel::kAvx2;
}

void MultiplyQ8(Q8Kernel kernel, const Q8Product& product, std::size_t part, std::size_t parts) {
  if (kernel == Q8Kernel::kAvx512Vnni)
    MultiplyQ8Avx512(product, part, parts);
  else if (kernel == Q8Kernel::kAvxVnni)
    MultiplyQ8AvxVnni(product, part, parts);
  else if (kernel == Q8Kernel::kAvx2)
    MultiplyQ8Avx2(product, part, parts);
}

#else

Q8Kernel BestQ8Kernel() {
  return Q8Kernel::kNone;
}

void MultiplyQ8(Q8Kernel, const Q8Product&, std::size_t, std::size_t) {}

#endif

}  // namespace headroom::kernels
