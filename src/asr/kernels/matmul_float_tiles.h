// The algorithm of matmul_float.h over one kind of vectors. Included once for each kind, by a file
// that is compiled for its instructions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "asr/kernels/column_groups.h"
#include "asr/kernels/matmul_float.h"
#include "asr/kernels/registers.h"

namespace headroom::kernels {

/// Registers: as in registers.h. kColumns: at a time, with two registers of rows each.
template <class Registers, std::size_t kColumns>
class FloatTiles : Floats<Registers> {
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
  using Vector = typename Registers::Vector;
  using Floats<Registers>::kLanes, Floats<Registers>::Load, Floats<Registers>::Store,
      Floats<Registers>::Transpose;
  static constexpr std::size_t kRows = 2 * kLanes;
  static constexpr std::size_t kDepth = 256;             // of a row at a time
  static constexpr std::size_t kPanelBytes = 256 << 10;  // stays in the L2 cache
  static constexpr std::size_t kTiles = kPanelBytes / sizeof(float) / kDepth / kRows;
  static_assert(kDepth % kLanes == 0);

  struct Range {
    std::size_t begin, end;
    std::size_t size() const { return end - begin; }
  };
  struct alignas(64) Scratch {
    float panel[kTiles][kDepth][kRows];
    float columns[kColumns][kDepth];
  };

  // Numbers `at` and more of a row: as many as are left of `depth`, with zeros behind them.
  template <class Number>
  static Vector LoadOf(const Number* row, std::size_t at, std::size_t depth) {
    if (at + kLanes <= depth) return Load(row + at);
    Number rest[kLanes] = {};
    std::memcpy(rest, row + at, (depth - at) * sizeof *rest);
    return Load(rest);
  }

  template <class Number>
  static void Interleave(const Number* weights, std::size_t stride, std::size_t rows,
                         std::size_t depth, float (*panel)[kRows]) {
    for (std::size_t row = 0; row < kRows; row += kLanes) {
      for (std::size_t i = 0; i < depth; i += kLanes) {
        Vector square[kLanes];
#pragma GCC unroll 16
        for (std::size_t r = 0; r < kLanes; ++r)
          square[r] = row + r < rows ? LoadOf(weights + (row + r) * stride, i, depth) : Vector{};
        Transpose(square);
#pragma GCC unroll 16
        for (std::size_t r = 0; r < kLanes; ++r) Store(panel[i + r] + row, square[r]);
      }
    }
  }

  template <class Number>
  static void TakeColumn(const Number* from, std::size_t depth, float* to) {
    for (std::size_t i = 0; i < depth; i += kLanes) Store(to + i, LoadOf(from, i, depth));
  }

  // `first`: of the depth, so that there is nothing to add to yet.
  template <std::size_t kCount>
  static void MultiplyTile(const float (*panel)[kRows], const float (*columns)[kDepth],
                           std::size_t depth, float* output, std::size_t stride, std::size_t rows,
                           bool first) {
    Vector low[kCount] = {}, high[kCount] = {};
    for (std::size_t i = 0; i < depth; ++i) {
      const Vector weights_low = Load(panel[i]);
      const Vector weights_high = Load(panel[i] + kLanes);
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
        Store(to, first ? low[c] : low[c] + Load(to));
        Store(to + kLanes, first ? high[c] : high[c] + Load(to + kLanes));
      } else {
        alignas(64) float all[kRows];
        Store(all, low[c]);
        Store(all + kLanes, high[c]);
        for (std::size_t r = 0; r < rows; ++r) to[r] = first ? all[r] : to[r] + all[r];
      }
    }
  }

  static void MultiplyPanel(const FloatProduct& product, Range tiles, Range depth,
                            Scratch& scratch) {
    const FloatMatrix &weights = product.weights, &input = product.input;
    for (std::size_t tile = tiles.begin; tile < tiles.end; ++tile) {
      const std::size_t row = tile * kRows;
      const std::size_t rows = std::min(kRows, product.rows - row);
      const std::size_t at = row * weights.stride + depth.begin;
      float(*panel)[kRows] = scratch.panel[tile - tiles.begin];
      if (weights.halves)
        Interleave(static_cast<const std::uint16_t*>(weights.data) + at, weights.stride, rows,
                   depth.size(), panel);
      else
        Interleave(static_cast<const float*>(weights.data) + at, weights.stride, rows, depth.size(),
                   panel);
    }
    ForColumnGroups<kColumns>(product.columns, [&]<std::size_t kCount>(std::size_t column) {
      for (std::size_t c = 0; c < kCount; ++c) {
        const std::size_t at = (column + c) * input.stride + depth.begin;
        if (input.halves)
          TakeColumn(static_cast<const std::uint16_t*>(input.data) + at, depth.size(),
                     scratch.columns[c]);
        else
          TakeColumn(static_cast<const float*>(input.data) + at, depth.size(), scratch.columns[c]);
      }
      for (std::size_t tile = tiles.begin; tile < tiles.end; ++tile) {
        const std::size_t row = tile * kRows;
        MultiplyTile<kCount>(scratch.panel[tile - tiles.begin], scratch.columns, depth.size(),
                             product.output + column * product.output_stride + row,
                             product.output_stride, std::min(kRows, product.rows - row),
                             depth.begin == 0);
      }
    });
  }
};

}  // namespace headroom::kernels
