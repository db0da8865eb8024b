// What the two kernels on 256-bit registers share; only for files compiled for AVX2 and later.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace headroom::kernels {
namespace {  // compiled separately for each file's instructions

struct Avx {
  using Int = __m256i;
  using Float = __m256;
  static constexpr std::size_t kRows = 8;
  static constexpr std::size_t kColumns = 6;  // sums and totals of more would not fit 16 registers

  static Float Zero() { return _mm256_setzero_ps(); }
  static Int Load(const void* from) { return _mm256_load_si256(static_cast<const Int*>(from)); }
  static Float Load(const float* from) { return _mm256_load_ps(from); }
  static Int Repeat(const void* group) {
    std::int32_t word;
    std::memcpy(&word, group, 4);
    return _mm256_set1_epi32(word);
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
  static Float Factors(const std::uint16_t* halves) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves)));
  }
};

}  // namespace
}  // namespace headroom::kernels
