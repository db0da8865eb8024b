// The algorithm of matmul_float.h over one kind of vectors. Included once for each kind, by a file
// that is compiled for its instructions (AVX2 and F16C at least).
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/matmul_float.h"

namespace headroom::kernels {

/// Vector: a register of floats (GCC's vector_size). kColumns: at a time, with two registers of
/// rows each.
template <class Vector, std::size_t kColumns>
class FloatTiles {
 public:
  static void Multiply(const FloatProduct& product, std::size_t part, std::size_t parts) {
    const std::size_t tiles = (product.rows + kRows - 1) / kRows;
    const std::size_t begin = tiles * part / parts;
    const std::size_t end = tiles * (part + 1) / parts;
    Scratch scratch;
    for (std::size_t tile = begin; tile < end; tile += kTiles)
      for (std::size_t depth = 0; depth < product.inner; depth += kDepth)
        MultiplyPanel(product, {tile, std::min(tile + kTiles, end)},
                      {depth, std::min(depth + kDepth, product.inner)}, scratch);
  }

 private:
  static constexpr std::size_t kLanes = sizeof(Vector) / sizeof(float);
  static constexpr std::size_t kRows = 2 * kLanes;
  static constexpr std::size_t kDepth = 256;             // of a row at a time
  static constexpr std::size_t kPanelBytes = 256 << 10;  // stays in the L2 cache
  static constexpr std::size_t kTiles = kPanelBytes / sizeof(float) / kDepth / kRows;
  static constexpr std::size_t kBlock = 8;  // numbers that are transposed together, each way
  static_assert(kDepth % kBlock == 0 && kRows % kBlock == 0);

  struct Range {
    std::size_t begin, end;
    std::size_t size() const { return end - begin; }
  };
  struct alignas(64) Scratch {
    float panel[kTiles][kDepth][kRows];
    float columns[kColumns][kDepth];
  };

  static __m256 Load(const float* from) { return _mm256_loadu_ps(from); }
  static __m256 Load(const std::uint16_t* from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static float One(const float* from) { return *from; }
  static float One(const std::uint16_t* from) { return _cvtsh_ss(*from); }
  static Vector LoadVector(const float* from) {
    Vector v;
    std::memcpy(&v, from, sizeof v);
    return v;
  }
  static void StoreVector(float* to, Vector v) { std::memcpy(to, &v, sizeof v); }

  // kBlock numbers of kBlock rows into as many rows of a panel.
  template <class Number>
  static void Transpose(const Number* from, std::size_t stride, float* to) {
    __m256 a[kBlock], b[kBlock];
    for (std::size_t i = 0; i < kBlock; ++i) a[i] = Load(from + i * stride);
    for (std::size_t i = 0; i < kBlock; i += 2) {
      b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
      b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
    for (std::size_t i = 0; i < kBlock; i += 4) {
      a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
      a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xEE);
      a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
      a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xEE);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      _mm256_store_ps(to + i * kRows, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
      _mm256_store_ps(to + (i + 4) * kRows, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
    }
  }

  template <class Number>
  static void Interleave(const Number* weights, std::size_t stride, std::size_t rows, Range depth,
                         float (*panel)[kRows]) {
    if (rows < kRows) std::memset(panel, 0, depth.size() * sizeof *panel);
    const std::size_t blocks = depth.size() / kBlock * kBlock;
    std::size_t row = 0;
    for (; row + kBlock <= rows; row += kBlock)
      for (std::size_t i = 0; i < blocks; i += kBlock)
        Transpose(weights + row * stride + depth.begin + i, stride, &panel[i][row]);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t i = r < row ? blocks : 0; i < depth.size(); ++i)
        panel[i][r] = One(weights + r * stride + depth.begin + i);
  }

  template <class Number>
  static void TakeColumn(const Number* from, std::size_t n, float* to) {
    std::size_t i = 0;
    for (; i + kBlock <= n; i += kBlock) _mm256_store_ps(to + i, Load(from + i));
    for (; i < n; ++i) to[i] = One(from + i);
  }

  // `first`: of the depth, so that there is nothing to add to yet.
  template <std::size_t kCount>
  static void MultiplyTile(const float (*panel)[kRows], const float (*columns)[kDepth],
                           std::size_t depth, float* output, std::size_t stride, std::size_t rows,
                           bool first) {
    Vector low[kCount] = {}, high[kCount] = {};
    for (std::size_t i = 0; i < depth; ++i) {
      const Vector weights_low = LoadVector(panel[i]);
      const Vector weights_high = LoadVector(panel[i] + kLanes);
#pragma GCC unroll 12
      for (std::size_t c = 0; c < kCount; ++c) {
        const float x = columns[c][i];
        low[c] += x * weights_low;
        high[c] += x * weights_high;
      }
    }
#pragma GCC unroll 12
    for (std::size_t c = 0; c < kCount; ++c) {
      float* to = output + c * stride;
      if (rows == kRows) {
        StoreVector(to, first ? low[c] : low[c] + LoadVector(to));
        StoreVector(to + kLanes, first ? high[c] : high[c] + LoadVector(to + kLanes));
      } else {
        alignas(64) float all[kRows];
        StoreVector(all, low[c]);
        StoreVector(all + kLanes, high[c]);
        for (std::size_t r = 0; r < rows; ++r) to[r] = first ? all[r] : to[r] + all[r];
      }
    }
  }

  template <std::size_t... kCounts>
  static auto TileOf(std::size_t columns, std::index_sequence<kCounts...>) {
    static constexpr decltype(&MultiplyTile<1>) kAll[] = {&MultiplyTile<kCounts + 1>...};
    return kAll[columns - 1];
  }

  static void MultiplyPanel(const FloatProduct& product, Range tiles, Range depth,
                            Scratch& scratch) {
    const FloatMatrix &weights = product.weights, &input = product.input;
    for (std::size_t tile = tiles.begin; tile < tiles.end; ++tile) {
      const std::size_t row = tile * kRows;
      const std::size_t rows = std::min(kRows, product.rows - row);
      float(*panel)[kRows] = scratch.panel[tile - tiles.begin];
      if (weights.halves)
        Interleave(static_cast<const std::uint16_t*>(weights.data) + row * weights.stride,
                   weights.stride, rows, depth, panel);
      else
        Interleave(static_cast<const float*>(weights.data) + row * weights.stride, weights.stride,
                   rows, depth, panel);
    }
    // As even as can be: a last group of one column would take as long as one of many.
    const std::size_t groups = (product.columns + kColumns - 1) / kColumns;
    for (std::size_t group = 0; group < groups; ++group) {
      const std::size_t column = product.columns * group / groups;
      const std::size_t columns = product.columns * (group + 1) / groups - column;
      for (std::size_t c = 0; c < columns; ++c) {
        const std::size_t at = (column + c) * input.stride + depth.begin;
        if (input.halves)
          TakeColumn(static_cast<const std::uint16_t*>(input.data) + at, depth.size(),
                     scratch.columns[c]);
        else
          TakeColumn(static_cast<const float*>(input.data) + at, depth.size(), scratch.columns[c]);
      }
      const auto multiply = TileOf(columns, std::make_index_sequence<kColumns>());
      for (std::size_t tile = tiles.begin; tile < tiles.end; ++tile) {
        const std::size_t row = tile * kRows;
        multiply(scratch.panel[tile - tiles.begin], scratch.columns, depth.size(),
                 product.output + column * product.output_stride + row, product.output_stride,
                 std::min(kRows, product.rows - row), depth.begin == 0);
      }
    }
  }
};

}  // namespace headroom::kernels
