// Attention, softmax(scale Q Kᵀ + mask) V (Vaswani et al., "Attention Is All You Need", 2017), over
// heads of a multiple of 64 numbers, with sums in single precision.
//
// Of many queries, as every layer of an encoder has them: eight (six) at a time, their scores for
// all keys, softmax, and the weighted sum of the values. The keys of a head are transposed once, so
// that neighbours in a register are neighbouring keys, and its values are gathered; exp is the C
// library's vectorised one (libmvec).
#pragma once

#include <cstddef>
#include <cstdint>

#include "asr/kernels/vector_kernel.h"

namespace headroom::kernels {

constexpr std::size_t kHeadSize = 64;
constexpr std::size_t kMostKeys = 1536;  // Whisper's 30 s are 1500

/// Rows of numbers of one head each: row r of head h is at data + h * head_stride + r * row_stride.
template <class Number>
struct Heads {
  Number* data = nullptr;
  std::size_t row_stride = 0, head_stride = 0;
};

/// Number: of keys and values, float or std::uint16_t, which is IEEE half precision.
template <class Number>
struct Attention {
  std::size_t heads = 0, queries = 0, keys = 0;  // keys: 1 to kMostKeys
  std::size_t head_size = kHeadSize;             // or a multiple
  float scale = 1;
  Heads<const float> q;
  Heads<const Number> k, v;
  /// Added to the scores, a row for each query, in half precision; unless null. Where it is minus
  /// infinity the key and its value are not looked at. A query that sees no key gives zeros.
  Heads<const std::uint16_t> mask;
  Heads<float> output;
};

/// The best kernel for this CPU and C library.
VectorKernel BestAttentionKernel();

constexpr bool IsForAttend(std::size_t head_size) {
  return head_size == kHeadSize || head_size == 2 * kHeadSize;
}

/// Part `part` of `parts`, which threads may compute side by side. `kernel` is not kNone. Takes
/// 840 KB of stack for heads of 64, and 1630 KB for heads of 128, of which it touches what the keys
/// need: 0.55 and 1.1 KB each.
template <class Number>
void Attend(VectorKernel kernel, const Attention<Number>& attention, std::size_t part,
            std::size_t parts);

/// As Attend, of a few queries, over the keys and values that a decoder keeps. Takes 6 KB of stack.
void AttendCached(VectorKernel kernel, const Attention<std::uint16_t>& attention, std::size_t part,
                  std::size_t parts);

}  // namespace headroom::kernels
