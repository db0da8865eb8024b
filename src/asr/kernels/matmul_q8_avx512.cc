// Compiled for AVX-512 with VNNI: nothing of it may run, or be inlined elsewhere, without them.
#include <immintrin.h>

#include "asr/kernels/matmul_q8_parts.h"
#include "asr/kernels/matmul_q8_tiles.h"

namespace headroom::kernels {
namespace {

struct Avx512 {
  using Int = __m512i;
  using Float = __m512;
  using RowCode = std::int8_t;
  using ColumnCode = std::uint8_t;  // 128 larger: one factor of the instruction is unsigned
  static constexpr std::size_t kUnrolled = 8;
  static constexpr std::size_t kRows = 16;
  static constexpr std::size_t kColumns = 8;

  static Float Zero() { return _mm512_setzero_ps(); }
  static Int Load(const void* from) { return _mm512_load_si512(from); }
  static Float Load(const float* from) { return _mm512_load_ps(from); }
  static Int Repeat(const std::uint8_t* four) {
    std::int32_t word;
    std::memcpy(&word, four, 4);
    return _mm512_set1_epi32(word);
  }
  static Int AddProducts(Int sum, Int is_unsigned, Int is_signed) {
    return _mm512_dpbusd_epi32(sum, is_unsigned, is_signed);
  }
  static Float AddScaled(Float total, Int sum, Float factors, float factor) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(factors, _mm512_set1_ps(factor)),
                           total);
  }
  static void Store(float* to, Float values, std::size_t rows) {
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << rows) - 1), values);
  }
  static void TakeColumn(const std::int8_t* from, std::uint8_t* to) {
    const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    _mm256_store_si256(reinterpret_cast<__m256i*>(to),
                       _mm256_xor_si256(codes, _mm256_set1_epi8(-128)));
  }
  static __m256i TakeRow(const std::int8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  template <std::size_t kGroups>
  static void StoreStarts(const RowCode (&codes)[kGroups][kRows][4], std::int32_t* starts) {
    Int sums = _mm512_setzero_si512();
    for (const auto& group : codes) sums = AddProducts(sums, _mm512_set1_epi8(1), Load(group));
    _mm512_store_si512(starts,
                       _mm512_slli_epi32(_mm512_sub_epi32(_mm512_setzero_si512(), sums), 7));
  }
  static Float Factors(const std::uint16_t* halves) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves)));
  }
};

}  // namespace

void MultiplyQ8Avx512(const Q8Product& product, std::size_t part, std::size_t parts) {
  Q8Tiles<Avx512>::Multiply(product, part, parts);
}

}  // namespace headroom::kernels
