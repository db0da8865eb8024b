// Registers of floats, for the algorithms that files compiled for their instructions include:
// a register, numbers of half precision widened into one, and rows that become columns.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace headroom::kernels {
namespace {  // compiled separately for each file's instructions

struct Avx2Floats {
  using Vector [[gnu::vector_size(32)]] = float;
  static Vector Widened(const std::uint16_t* halves) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves)));
  }
};

#ifdef __AVX512F__
struct Avx512Floats {
  using Vector [[gnu::vector_size(64)]] = float;
  static Vector Widened(const std::uint16_t* halves) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves)));
  }
};
#endif

/// Loading and storing, for either.
template <class Registers>
struct Floats : Registers {
  using typename Registers::Vector;
  static constexpr std::size_t kLanes = sizeof(Vector) / sizeof(float);

  static Vector Load(const float* from) {
    Vector v;
    std::memcpy(&v, from, sizeof v);
    return v;
  }
  static Vector Load(const std::uint16_t* halves) { return Registers::Widened(halves); }
  static void Store(float* to, Vector v) { std::memcpy(to, &v, sizeof v); }

  /// Rows become columns: squares of kApart change places across the diagonal, then greater ones.
  /// Bits are moved and nothing else.
  template <std::size_t kApart = 1>
  static void Transpose(Vector (&rows)[kLanes]) {
    if constexpr (kApart < kLanes) {
      const auto exchange = [&rows]<std::size_t... kLane>(std::index_sequence<kLane...>) {
#pragma GCC unroll 16
        for (std::size_t row = 0; row < kLanes; ++row) {
          if (row & kApart) continue;
          const Vector a = rows[row], b = rows[row + kApart];
          rows[row] =
              __builtin_shufflevector(a, b, (kLane & kApart ? kLanes + kLane - kApart : kLane)...);
          rows[row + kApart] =
              __builtin_shufflevector(a, b, (kLane & kApart ? kLanes + kLane : kLane + kApart)...);
        }
      };
      exchange(std::make_index_sequence<kLanes>());
      Transpose<2 * kApart>(rows);
    }
  }
};

}  // namespace
}  // namespace headroom::kernels
