// Compiled for AVX2 with AVX-VNNI: nothing of it may run, or be inlined elsewhere, without them.
#include <immintrin.h>

#include "kernels/matmul_q8_parts.h"
#include "kernels/matmul_q8_tiles.h"

namespace headroom::kernels {
namespace {

struct Avx {
  using Int = __m256i;
  using Float = __m256;
  static constexpr std::size_t kRows = 8;
  static constexpr std::size_t kColumns = 6;  // sums and totals of more would not fit 16 registers

  static Float Zero() { return _mm256_setzero_ps(); }
  static Int Load(const void* from) { return _mm256_load_si256(static_cast<const Int*>(from)); }
  static Float Load(const float* from) { return _mm256_load_ps(from); }
  static Int Repeat(const std::uint8_t* four) {
    std::int32_t word;
    std::memcpy(&word, four, 4);
    return _mm256_set1_epi32(word);
  }
  static Int AddProducts(Int sum, Int is_unsigned, Int is_signed) {
    return _mm256_dpbusd_avx_epi32(sum, is_unsigned, is_signed);
  }
  static Float AddScaled(Float total, Int sum, Float factors, float factor) {
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(factors, _mm256_set1_ps(factor)),
                           total);
  }
  static void Store(float* to, Float values, std::size_t rows) {
    if (rows == kRows) {
      _mm256_storeu_ps(to, values);
      return;
    }
    alignas(32) float all[kRows];
    _mm256_store_ps(all, values);
    std::memcpy(to, all, rows * sizeof(float));
  }
  static void MakeUnsigned(const std::int8_t* from, std::uint8_t* to) {
    const Int codes = _mm256_loadu_si256(reinterpret_cast<const Int*>(from));
    _mm256_store_si256(reinterpret_cast<Int*>(to), _mm256_xor_si256(codes, _mm256_set1_epi8(-128)));
  }
  static std::int32_t Sum(const std::int8_t* codes) {
    const Int sums =
        _mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1),
                                _mm256_loadu_si256(reinterpret_cast<const Int*>(codes)));
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4E));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xB1));
    return _mm_cvtsi128_si32(half);
  }
  static float Factor(std::uint16_t half) { return _cvtsh_ss(half); }
};

}  // namespace

void MultiplyQ8Avx(const Q8Product& product, std::size_t part, std::size_t parts) {
  Q8Tiles<Avx>::Multiply(product, part, parts);
}

}  // namespace headroom::kernels
