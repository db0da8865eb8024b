// The algorithm of matmul_q8.h over one kind of vectors. Included once for each kind, by a file
// that is compiled for its instructions; Vectors has the instructions.
#pragma once

#include <algorithm>
#include <cstring>

#include "asr/kernels/column_groups.h"
#include "asr/kernels/matmul_q8_parts.h"
#include "asr/kernels/registers.h"

namespace headroom::kernels {

constexpr std::size_t kQ8PanelBytes = 256 << 10;  // of interleaved weights: stays in the L2 cache

template <class Vectors>
class Q8Tiles {
 public:
  static void Multiply(const Q8Product& product, std::size_t part, std::size_t parts) {
    const std::size_t tiles = (product.rows + kRows - 1) / kRows;
    const std::size_t begin = tiles * part / parts;
    const std::size_t end = tiles * (part + 1) / parts;
    Scratch scratch;
    const std::size_t at_once = sizeof scratch.panel / (sizeof(Weights) * product.blocks);
    for (std::size_t first = begin; first < end; first += at_once)
      MultiplyPanel(product, first, std::min(first + at_once, end), scratch);
  }

 private:
  static constexpr std::size_t kRows = Vectors::kRows;
  static constexpr std::size_t kColumns = Vectors::kColumns;
  using RowCode = typename Vectors::RowCode;
  using ColumnCode = typename Vectors::ColumnCode;
  static_assert(sizeof(RowCode) == sizeof(ColumnCode));
  static constexpr std::size_t kCodes = 32;                      // of a block
  static constexpr std::size_t kTogether = 4 / sizeof(RowCode);  // codes, in 32 bits
  static constexpr std::size_t kGroups = kCodes / kTogether;     // of a block
  using Words = Floats<Avx2Floats>;                              // of 32 bits, moved only
  static constexpr std::size_t kSquare = Words::kLanes;          // rows, and words of each, at once
  static_assert(kRows % kSquare == 0 && kGroups % kSquare == 0);

  // A block of each of kRows rows.
  struct alignas(64) Weights {
    std::int32_t starts[kRows];  // of the sums: makes up for codes of columns that are too large
    float factors[kRows];
    RowCode codes[kGroups][kRows][kTogether];
  };
  // A block of each of kColumns columns.
  struct alignas(64) Inputs {
    ColumnCode codes[kColumns][kCodes];
    float factors[kColumns];
  };
  struct Scratch {
    Weights panel[kQ8PanelBytes / sizeof(Weights)];
    Inputs inputs[kQ8MostBlocks];
  };

  static void Interleave(const Q8Product& product, std::size_t tile, Weights* into) {
    const std::size_t first = tile * kRows;
    const std::size_t rows = std::min(kRows, product.rows - first);
    for (std::size_t b = 0; b < product.blocks; ++b) {
      Weights& to = into[b];
      const Q8Block* from = product.weights + first * product.weights_stride + b;
      std::uint16_t factors[kRows] = {};
      for (std::size_t r = 0; r < rows; ++r) factors[r] = from[r * product.weights_stride].factor;
      Vectors::Store(to.factors, Vectors::Factors(factors), kRows);
      for (std::size_t row = 0; row < kRows; row += kSquare) {
        for (std::size_t group = 0; group < kGroups; group += kSquare) {
          typename Words::Vector words[kSquare];
#pragma GCC unroll 8
          for (std::size_t r = 0; r < kSquare; ++r)
            words[r] =
                row + r < rows
                    ? _mm256_castsi256_ps(Vectors::TakeRow(
                          from[(row + r) * product.weights_stride].codes + group * kTogether))
                    : Words::Vector{};
          Words::Transpose(words);
#pragma GCC unroll 8
          for (std::size_t r = 0; r < kSquare; ++r)
            std::memcpy(to.codes[group + r][row], &words[r], sizeof words[r]);
        }
      }
      Vectors::StoreStarts(to.codes, to.starts);
    }
  }

  static void TakeColumns(const Q8Product& product, std::size_t first, std::size_t columns,
                          Inputs* into) {
    for (std::size_t c = 0; c < columns; ++c) {
      const Q8Block* from = product.input + (first + c) * product.input_stride;
      for (std::size_t b = 0; b < product.blocks; ++b) {
        Vectors::TakeColumn(from[b].codes, into[b].codes[c]);
        into[b].factors[c] = _cvtsh_ss(from[b].factor);
      }
    }
  }

  template <std::size_t kCount>
  static void MultiplyTile(const Weights* weights, const Inputs* inputs, std::size_t blocks,
                           float* output, std::size_t stride, std::size_t rows) {
    typename Vectors::Float totals[kCount];
    for (auto& total : totals) total = Vectors::Zero();
    for (std::size_t b = 0; b < blocks; ++b) {
      const Weights& row = weights[b];
      const Inputs& column = inputs[b];
      typename Vectors::Int sums[kCount];
      for (auto& sum : sums) sum = Vectors::Load(row.starts);
#pragma GCC unroll 1
      for (std::size_t first = 0; first < kGroups; first += Vectors::kUnrolled) {
#pragma GCC unroll 8
        for (std::size_t group = first; group < first + Vectors::kUnrolled; ++group) {
          const auto codes = Vectors::Load(row.codes[group]);
#pragma GCC unroll 8
          for (std::size_t c = 0; c < kCount; ++c)
            sums[c] = Vectors::AddProducts(
                sums[c], Vectors::Repeat(column.codes[c] + group * kTogether), codes);
        }
      }
      const auto factors = Vectors::Load(row.factors);
#pragma GCC unroll 8
      for (std::size_t c = 0; c < kCount; ++c)
        totals[c] = Vectors::AddScaled(totals[c], sums[c], factors, column.factors[c]);
    }
    for (std::size_t c = 0; c < kCount; ++c) Vectors::Store(output + c * stride, totals[c], rows);
  }

  static void MultiplyPanel(const Q8Product& product, std::size_t begin, std::size_t end,
                            Scratch& scratch) {
    for (std::size_t tile = begin; tile < end; ++tile)
      Interleave(product, tile, scratch.panel + (tile - begin) * product.blocks);
    ForColumnGroups<kColumns>(product.columns, [&]<std::size_t kCount>(std::size_t first) {
      TakeColumns(product, first, kCount, scratch.inputs);
      for (std::size_t tile = begin; tile < end; ++tile) {
        const std::size_t row = tile * kRows;
        MultiplyTile<kCount>(scratch.panel + (tile - begin) * product.blocks, scratch.inputs,
                             product.blocks, product.output + first * product.output_stride + row,
                             product.output_stride, std::min(kRows, product.rows - row));
      }
    });
  }
};

}  // namespace headroom::kernels
