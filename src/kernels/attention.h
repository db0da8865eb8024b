// Attention of many queries, softmax(scale Q Kᵀ) V (Vaswani et al., "Attention Is All You Need",
// 2017), without a mask, over heads of 64 numbers: what Whisper's encoder does in every layer.
//
// Eight (six) queries at a time: their scores for all keys, softmax, and the weighted sum of the
// values. The keys of a head are transposed once, so that neighbours in a register are neighbouring
// keys, and its values are gathered; exp is the C library's vectorised one (libmvec).
#pragma once

#include <cstddef>
#include <cstdint>

namespace headroom::kernels {

constexpr std::size_t kHeadSize = 64;
constexpr std::size_t kMostKeys = 1536;  // Whisper's 30 s are 1500

/// Rows of numbers of one head each: row r of head h is at data + h * head_stride + r * row_stride.
template <class Number>
struct Heads {
  Number* data = nullptr;
  std::size_t row_stride = 0, head_stride = 0;
};

struct Attention {
  std::size_t heads = 0, queries = 0, keys = 0;  // keys: 1 to kMostKeys
  float scale = 1;
  Heads<const float> q, k, v;
  Heads<float> output;
};

enum class AttentionKernel { kNone, kAvx2, kAvx512 };

/// The best of this processor and C library.
AttentionKernel BestAttentionKernel();

/// Part `part` of `parts`, which threads may compute side by side. `kernel` is not kNone. Takes
/// 840 KB of stack.
void Attend(AttentionKernel kernel, const Attention& attention, std::size_t part,
            std::size_t parts);

/// Of a few queries, over the keys and values that a decoder keeps in half precision. Sums are in
/// single precision.
struct CachedAttention {
  std::size_t heads = 0, queries = 0, keys = 0;  // keys: 1 to kMostKeys
  std::size_t head_size = 0;                     // a multiple of kHeadSize
  float scale = 1;
  Heads<const float> q;
  Heads<const std::uint16_t> k, v;  // IEEE half precision
  /// Added to the scores of query r, at mask + r * mask_stride, in half precision, unless null.
  /// Where it is minus infinity the key and its value are not looked at. A query that sees no key
  /// gives zeros.
  const std::uint16_t* mask = nullptr;
  std::size_t mask_stride = 0;
  Heads<float> output;
};

/// As Attend.
void AttendCached(AttentionKernel kernel, const CachedAttention& attention, std::size_t part,
                  std::size_t parts);

}  // namespace headroom::kernels
