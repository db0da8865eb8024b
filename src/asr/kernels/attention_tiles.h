// The algorithm of attention.h over one kind of vectors. Included once for each kind, by a file
// that is compiled for its instructions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "asr/kernels/attention.h"
#include "asr/kernels/registers.h"
#include "asr/kernels/vector_math.h"

namespace headroom::kernels {

/// Registers: as in registers.h. kTogether: queries at a time; kSummed: of them, in the weighted
/// sum.
template <class Registers, std::size_t kTogether, std::size_t kSummed, std::size_t kSize>
class AttentionTiles : Floats<Registers> {
 public:
  template <class Number>
  static void Attend(const Attention<Number>& attention, std::size_t part, std::size_t parts) {
    const std::size_t tiles = (attention.queries + kTogether - 1) / kTogether;
    const std::size_t all = tiles * attention.heads;
    Scratch scratch;
    std::size_t head = attention.heads;  // whose keys are in scratch; none yet
    for (std::size_t at = all * part / parts; at < all * (part + 1) / parts; ++at) {
      if (at / tiles != head) {
        head = at / tiles;
        TakeKeys(attention, head, scratch);
        TakeValues(attention, head, scratch);
      }
      AttendTile(attention, head, at % tiles * kTogether, scratch);
    }
  }

 private:
  using Vector = typename Registers::Vector;
  using Floats<Registers>::kLanes, Floats<Registers>::Load, Floats<Registers>::Store,
      Floats<Registers>::Transpose;
  static constexpr std::size_t kStep = 2 * kLanes;  // keys in two registers
  static constexpr std::size_t kWide = 4;           // registers of an output row at a time
  static constexpr std::size_t kColumns = kWide * kLanes;
  static constexpr float kNever = -std::numeric_limits<float>::infinity();
  static_assert(kMostKeys % kStep == 0 && kSize % kColumns == 0);
  static_assert(kTogether % kSummed == 0);

  struct alignas(64) Scratch {
    float keys[kMostKeys / kStep][kSize][kStep];  // transposed, kStep keys after another
    float values[kSize / kColumns][kMostKeys][kColumns];
    float scores[kTogether][kMostKeys];
    float queries[kTogether][kSize];
    float factors[kTogether];  // one over the sum of a query's weights
    bool finite;               // all the values are
  };

  static std::size_t Padded(std::size_t keys) { return (keys + kStep - 1) / kStep * kStep; }

  template <class Number>
  static void TakeKeys(const Attention<Number>& attention, std::size_t head, Scratch& scratch) {
    const Number* k = attention.k.data + head * attention.k.head_stride;
    for (std::size_t key = 0; key < Padded(attention.keys); key += kLanes) {
      for (std::size_t i = 0; i < kSize; i += kLanes) {
        Vector rows[kLanes];
#pragma GCC unroll 16
        for (std::size_t r = 0; r < kLanes; ++r)
          rows[r] = key + r < attention.keys ? Load(k + (key + r) * attention.k.row_stride + i)
                                             : Vector{};
        Transpose(rows);
#pragma GCC unroll 16
        for (std::size_t r = 0; r < kLanes; ++r)
          Store(scratch.keys[key / kStep][i + r] + key % kStep, rows[r]);
      }
    }
  }

  // Rows of the engine's are a power of two apart, and would put each other out of the cache.
  template <class Number>
  static void TakeValues(const Attention<Number>& attention, std::size_t head, Scratch& scratch) {
    const Number* v = attention.v.data + head * attention.v.head_stride;
    Vector zeros[kSize / kLanes] = {};  // unless a value is not finite
    for (std::size_t key = 0; key < attention.keys; ++key) {
      for (std::size_t i = 0; i < kSize / kLanes; ++i) {
        const Vector value = Load(v + key * attention.v.row_stride + i * kLanes);
        Store(scratch.values[i / kWide][key] + i % kWide * kLanes, value);
        zeros[i] += value * 0;
      }
    }
    for (std::size_t i = 1; i < kSize / kLanes; ++i) zeros[0] += zeros[i];
    scratch.finite = true;
    for (std::size_t lane = 0; lane < kLanes; ++lane) scratch.finite &= zeros[0][lane] == 0;
  }

  template <class Number>
  static void AttendTile(const Attention<Number>& attention, std::size_t head, std::size_t first,
                         Scratch& scratch) {
    const std::size_t queries = std::min(kTogether, attention.queries - first);
    for (std::size_t r = 0; r < kTogether; ++r) {
      // What is missing of the last tile is computed of the last query, and not stored.
      const std::size_t query = first + std::min(r, queries - 1);
      std::memcpy(
          scratch.queries[r],
          attention.q.data + head * attention.q.head_stride + query * attention.q.row_stride,
          sizeof scratch.queries[r]);
    }
    Score(Padded(attention.keys), scratch);
    for (std::size_t r = 0; r < queries; ++r) {
      const std::uint16_t* mask = attention.mask.data;
      if (mask) mask += head * attention.mask.head_stride + (first + r) * attention.mask.row_stride;
      scratch.factors[r] = Softmax(attention.keys, attention.scale, mask, scratch.scores[r]);
    }
    float* output = attention.output.data + head * attention.output.head_stride +
                    first * attention.output.row_stride;
    for (std::size_t i = 0; i < kSize / kColumns; ++i)
      for (std::size_t r = 0; r < queries; r += kSummed) {
        const auto sum = scratch.finite ? Sum<false> : Sum<true>;
        sum(attention.keys, scratch, i, r, std::min(kSummed, queries - r),
            output + r * attention.output.row_stride + i * kColumns, attention.output.row_stride);
      }
  }

  static void Score(std::size_t padded, Scratch& scratch) {
    for (std::size_t key = 0; key < padded; key += kStep) {
      Vector low[kTogether] = {}, high[kTogether] = {};
      const auto& columns = scratch.keys[key / kStep];
      for (std::size_t i = 0; i < kSize; ++i) {
        const Vector k_low = Load(columns[i]);
        const Vector k_high = Load(columns[i] + kLanes);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < kTogether; ++r) {
          const float q = scratch.queries[r][i];
          low[r] += q * k_low;
          high[r] += q * k_high;
        }
      }
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kTogether; ++r) {
        Store(&scratch.scores[r][key], low[r]);
        Store(&scratch.scores[r][key + kLanes], high[r]);
      }
    }
  }

  // Scaled and masked scores in place of scores.
  static void Mask(std::size_t keys, float scale, const std::uint16_t* mask, float* scores) {
    const auto add = [scale](const std::uint16_t* halves, float* to) {
      const Vector added = Load(halves);
      const Vector sum = Load(to) * scale + added;
      Store(to, added == kNever ? added : sum);
    };
    const std::size_t whole = keys / kLanes * kLanes;
    for (std::size_t key = 0; key < whole; key += kLanes) add(mask + key, scores + key);
    if (whole == keys) return;
    std::uint16_t rest[kLanes] = {};
    std::memcpy(rest, mask + whole, (keys - whole) * sizeof *rest);
    add(rest, scores + whole);
  }

  // Weights in place of scores, and one over their sum.
  static float Softmax(std::size_t keys, float scale, const std::uint16_t* mask, float* scores) {
    const std::size_t padded = Padded(keys);
    if (mask) {
      Mask(keys, scale, mask, scores);
      scale = 1;
    }
    std::fill(scores + keys, scores + padded, kNever);
    Vector most[2] = {Load(scores), Load(scores + kLanes)};
    for (std::size_t i = kStep; i < padded; i += kStep) {
      const Vector low = Load(scores + i), high = Load(scores + i + kLanes);
      most[0] = low > most[0] ? low : most[0];
      most[1] = high > most[1] ? high : most[1];
    }
    float top = kNever;
    for (const Vector& lanes : most)
      for (std::size_t lane = 0; lane < kLanes; ++lane) top = std::max(top, lanes[lane]);
    const auto masked = [](std::uint16_t added) { return added == 0xFC00; };  // minus infinity
    if (mask && top == kNever && std::all_of(mask, mask + keys, masked)) {
      std::fill(scores, scores + padded, 0.0F);
      return 0;
    }
    for (std::size_t i = 0; i < padded; ++i) scores[i] = VectorExp((scores[i] - top) * scale);
    Vector sums[2] = {};
    for (std::size_t i = 0; i < padded; i += kStep) {
      sums[0] += Load(scores + i);
      sums[1] += Load(scores + i + kLanes);
    }
    float sum = 0;
    for (std::size_t lane = 0; lane < kLanes; ++lane) sum += sums[0][lane] + sums[1][lane];
    return 1 / sum;
  }

  // kSkip: some values are no numbers, which a weight of zero does not make zero.
  template <bool kSkip>
  static void Sum(std::size_t keys, const Scratch& scratch, std::size_t columns, std::size_t first,
                  std::size_t queries, float* output, std::size_t stride) {
    Vector sums[kSummed][kWide] = {};
    for (std::size_t key = 0; key < keys; ++key) {
      const float* row = scratch.values[columns][key];
      Vector value[kWide];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kWide; ++i) value[i] = Load(row + i * kLanes);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kSummed; ++r) {
        const float weight = scratch.scores[first + r][key];
        if (kSkip && weight == 0) continue;
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kWide; ++i) sums[r][i] += weight * value[i];
      }
    }
    for (std::size_t r = 0; r < queries; ++r)
      for (std::size_t i = 0; i < kWide; ++i)
        Store(output + r * stride + i * kLanes, sums[r][i] * scratch.factors[first + r]);
  }
};

template <class Registers, std::size_t kTogether, std::size_t kSummed, class Number>
void AttendInTiles(const Attention<Number>& attention, std::size_t part, std::size_t parts) {
  if (attention.head_size == kHeadSize)
    AttentionTiles<Registers, kTogether, kSummed, kHeadSize>::Attend(attention, part, parts);
  else
    AttentionTiles<Registers, kTogether, kSummed, 2 * kHeadSize>::Attend(attention, part, parts);
}

}  // namespace headroom::kernels
