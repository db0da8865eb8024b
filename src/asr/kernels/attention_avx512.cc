// Compiled for AVX-512: nothing of it may run, or be inlined elsewhere, without it.
#include "asr/kernels/attention_parts.h"
#include "asr/kernels/attention_tiles.h"

namespace headroom::kernels {

template <class Number>
void AttendAvx512(const Attention<Number>& attention, std::size_t part, std::size_t parts) {
  AttendInTiles<Avx512Floats, 8, 4>(attention, part, parts);
}

template void AttendAvx512(const Attention<float>&, std::size_t, std::size_t);
template void AttendAvx512(const Attention<std::uint16_t>&, std::size_t, std::size_t);

}  // namespace headroom::kernels
