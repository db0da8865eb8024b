// Compiled for AVX2 with FMA and F16C: nothing of it may run, or be inlined elsewhere, without
// them.
#include "asr/kernels/attention_parts.h"
#include "asr/kernels/attention_tiles.h"

namespace headroom::kernels {

template <class Number>
void AttendAvx2(const Attention<Number>& attention, std::size_t part, std::size_t parts) {
  AttendInTiles<Avx2Floats, 6, 3>(attention, part, parts);
}

template void AttendAvx2(const Attention<float>&, std::size_t, std::size_t);
template void AttendAvx2(const Attention<std::uint16_t>&, std::size_t, std::size_t);

}  // namespace headroom::kernels
