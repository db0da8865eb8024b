#include "asr/kernels/vector_kernel.h"

namespace headroom::kernels {

VectorKernel BestVectorKernel() {
#ifdef __x86_64__
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return VectorKernel::kAvx512;
  if (__builtin_cpu_supports("x86-64-v3")) return VectorKernel::kAvx2;
#endif
  return VectorKernel::kNone;
}

}  // namespace headroom::kernels
