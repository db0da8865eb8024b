// Compiled for AVX-512: nothing of it may run, or be inlined elsewhere, without it.
#include <immintrin.h>

#include "kernels/attention_parts.h"
#include "kernels/attention_tiles.h"

namespace headroom::kernels {
namespace {

struct Avx512 {
  using Vector [[gnu::vector_size(64)]] = float;
  static Vector Widened(const std::uint16_t* halves) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves)));
  }
};

}  // namespace

template <class Number>
void AttendAvx512(const Attention<Number>& attention, std::size_t part, std::size_t parts) {
  AttendInTiles<Avx512, 8, 4>(attention, part, parts);
}

template void AttendAvx512(const Attention<float>&, std::size_t, std::size_t);
template void AttendAvx512(const Attention<std::uint16_t>&, std::size_t, std::size_t);

}  // namespace headroom::kernels
