// Compiled for AVX2: nothing of it may run, or be inlined elsewhere, without it.
//
// Codes become 16 bits wide, so that the sum of two products fits 32. Multiplying bytes would want
// a sign moved from one factor to the other for each product, and is no faster for it.
#include "asr/kernels/matmul_q8_avx_parts.h"
#include "asr/kernels/matmul_q8_parts.h"
#include "asr/kernels/matmul_q8_tiles.h"

namespace headroom::kernels {
namespace {

struct Avx2 : Avx {
  using RowCode = std::int16_t;
  using ColumnCode = std::int16_t;
  static constexpr std::size_t kUnrolled = 4;

  static Int AddProducts(Int sum, Int column, Int rows) {
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(column, rows));
    asm volatile("" : "+x"(sum));  // sums that wait for each other stay in their registers
    return sum;
  }
  static void TakeColumn(const std::int8_t* from, std::int16_t* to) {
    for (int i = 0; i < 32; i += 16)
      _mm256_store_si256(reinterpret_cast<Int*>(to + i), TakeRow(from + i));
  }
  static Int TakeRow(const std::int8_t* from) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  template <std::size_t kGroups>
  static void StoreStarts(const RowCode (&)[kGroups][kRows][2], std::int32_t* starts) {
    _mm256_store_si256(reinterpret_cast<Int*>(starts), _mm256_setzero_si256());
  }
};

}  // namespace

void MultiplyQ8Avx2(const Q8Product& product, std::size_t part, std::size_t parts) {
  Q8Tiles<Avx2>::Multiply(product, part, parts);
}

}  // namespace headroom::kernels
