#include "kernels/attention.h"

#include "kernels/attention_parts.h"
#include "kernels/vector_math.h"

namespace headroom::kernels {

#ifdef __x86_64__

AttentionKernel BestAttentionKernel() {
  __builtin_cpu_init();
  if (!kHasVectorMath) return AttentionKernel::kNone;
  if (__builtin_cpu_supports("x86-64-v4")) return AttentionKernel::kAvx512;
  if (__builtin_cpu_supports("x86-64-v3")) return AttentionKernel::kAvx2;
  return AttentionKernel::kNone;
}

template <class Number>
void Attend(AttentionKernel kernel, const Attention<Number>& attention, std::size_t part,
            std::size_t parts) {
  if (kernel == AttentionKernel::kAvx512)
    AttendAvx512(attention, part, parts);
  else if (kernel == AttentionKernel::kAvx2)
    AttendAvx2(attention, part, parts);
}

// Bound by memory: wider registers gain nothing.
void AttendCached(AttentionKernel kernel, const Attention<std::uint16_t>& attention,
                  std::size_t part, std::size_t parts) {
  if (kernel != AttentionKernel::kNone) AttendCachedAvx2(attention, part, parts);
}

#else

AttentionKernel BestAttentionKernel() {
  return AttentionKernel::kNone;
}

template <class Number>
void Attend(AttentionKernel, const Attention<Number>&, std::size_t, std::size_t) {}
void AttendCached(AttentionKernel, const Attention<std::uint16_t>&, std::size_t, std::size_t) {}

#endif

template void Attend(AttentionKernel, const Attention<float>&, std::size_t, std::size_t);
template void Attend(AttentionKernel, const Attention<std::uint16_t>&, std::size_t, std::size_t);

}  // namespace headroom::kernels
