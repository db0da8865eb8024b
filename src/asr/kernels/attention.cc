#include "asr/kernels/attention.h"

#include "asr/kernels/attention_parts.h"
#include "asr/kernels/vector_math.h"

namespace headroom::kernels {

VectorKernel BestAttentionKernel() {
  return kHasVectorMath ? BestVectorKernel() : VectorKernel::kNone;
}

#ifdef __x86_64__

template <class Number>
void Attend(VectorKernel kernel, const Attention<Number>& attention, std::size_t part,
            std::size_t parts) {
  if (kernel == VectorKernel::kAvx512)
    AttendAvx512(attention, part, parts);
  else if (kernel == VectorKernel::kAvx2)
    AttendAvx2(attention, part, parts);
}

// Bound by memory: wider registers gain nothing.
void AttendCached(VectorKernel kernel, const Attention<std::uint16_t>& attention, std::size_t part,
                  std::size_t parts) {
  if (kernel != VectorKernel::kNone) AttendCachedAvx2(attention, part, parts);
}

#else

template <class Number>
void Attend(VectorKernel, const Attention<Number>&, std::size_t, std::size_t) {}
void AttendCached(VectorKernel, const Attention<std::uint16_t>&, std::size_t, std::size_t) {}

#endif

template void Attend(VectorKernel, const Attention<float>&, std::size_t, std::size_t);
template void Attend(VectorKernel, const Attention<std::uint16_t>&, std::size_t, std::size_t);

}  // namespace headroom::kernels
