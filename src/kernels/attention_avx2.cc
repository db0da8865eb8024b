// Compiled for AVX2 with FMA and F16C: nothing of it may run, or be inlined elsewhere, without
// them.
#include <immintrin.h>

#include "kernels/attention_parts.h"
#include "kernels/attention_tiles.h"

namespace headroom::kernels {
namespace {

struct Avx2 {
  using Vector [[gnu::vector_size(32)]] = float;
  static Vector Widened(const std::uint16_t* halves) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves)));
  }
};

}  // namespace

template <class Number>
void AttendAvx2(const Attention<Number>& attention, std::size_t part, std::size_t parts) {
  AttendInTiles<Avx2, 6, 3>(attention, part, parts);
}

template void AttendAvx2(const Attention<float>&, std::size_t, std::size_t);
template void AttendAvx2(const Attention<std::uint16_t>&, std::size_t, std::size_t);

}  // namespace headroom::kernels
