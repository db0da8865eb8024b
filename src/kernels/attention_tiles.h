// The algorithm of attention.h over one kind of vectors. Included once for each kind, by a file
// that is compiled for its instructions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/attention.h"
#include "kernels/vector_math.h"

namespace headroom::kernels {

/// Vector: a register of floats (GCC's vector_size). kTogether: queries at a time; kSummed: of
/// them, in the weighted sum.
template <class Vector, std::size_t kTogether, std::size_t kSummed>
class AttentionTiles {
 public:
  static void Attend(const Attention& attention, std::size_t part, std::size_t parts) {
    const std::size_t tiles = (attention.queries + kTogether - 1) / kTogether;
    const std::size_t all = tiles * attention.heads;
    Scratch scratch;
    std::size_t head = attention.heads;  // whose keys are in scratch: nobody's
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
  static constexpr std::size_t kLanes = sizeof(Vector) / sizeof(float);
  static constexpr std::size_t kStep = 2 * kLanes;  // keys in two registers
  static constexpr std::size_t kWide = 4;           // registers of an output row at a time
  static constexpr std::size_t kColumns = kWide * kLanes;
  static_assert(kMostKeys % kStep == 0 && kHeadSize % kColumns == 0);
  static_assert(kTogether % kSummed == 0);

  struct alignas(64) Scratch {
    float keys[kMostKeys / kStep][kHeadSize][kStep];  // transposed, kStep keys after another
    float values[kHeadSize / kColumns][kMostKeys][kColumns];
    float scores[kTogether][kMostKeys];
    float queries[kTogether][kHeadSize];
    float factors[kTogether];  // one over the sum of a query's weights
  };

  static Vector Load(const float* from) {
    Vector v;
    std::memcpy(&v, from, sizeof v);
    return v;
  }
  static void Store(float* to, Vector v) { std::memcpy(to, &v, sizeof v); }

  static std::size_t Padded(std::size_t keys) { return (keys + kStep - 1) / kStep * kStep; }

  static void TakeKeys(const Attention& attention, std::size_t head, Scratch& scratch) {
    const float* k = attention.k.data + head * attention.k.head_stride;
    for (std::size_t key = 0; key < Padded(attention.keys); ++key) {
      const float* row = k + key * attention.k.row_stride;
      auto& columns = scratch.keys[key / kStep];
      for (std::size_t i = 0; i < kHeadSize; ++i)
        columns[i][key % kStep] = key < attention.keys ? row[i] : 0.0F;
    }
  }

  // Rows of the engine's are a power of two apart, and would put each other out of the cache.
  static void TakeValues(const Attention& attention, std::size_t head, Scratch& scratch) {
    const float* v = attention.v.data + head * attention.v.head_stride;
    for (std::size_t key = 0; key < attention.keys; ++key)
      for (std::size_t i = 0; i < kHeadSize / kColumns; ++i)
        std::memcpy(scratch.values[i][key], v + key * attention.v.row_stride + i * kColumns,
                    sizeof scratch.values[i][key]);
  }

  static void AttendTile(const Attention& attention, std::size_t head, std::size_t first,
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
    for (std::size_t r = 0; r < queries; ++r)
      scratch.factors[r] = Softmax(attention, scratch.scores[r]);
    float* output = attention.output.data + head * attention.output.head_stride +
                    first * attention.output.row_stride;
    for (std::size_t i = 0; i < kHeadSize / kColumns; ++i)
      for (std::size_t r = 0; r < queries; r += kSummed)
        Sum(attention, scratch, i, r, std::min(kSummed, queries - r),
            output + r * attention.output.row_stride + i * kColumns);
  }

  static void Score(std::size_t padded, Scratch& scratch) {
    for (std::size_t key = 0; key < padded; key += kStep) {
      Vector low[kTogether] = {}, high[kTogether] = {};
      const auto& columns = scratch.keys[key / kStep];
      for (std::size_t i = 0; i < kHeadSize; ++i) {
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

  // Weights in place of scores, and one over their sum.
  static float Softmax(const Attention& attention, float* scores) {
    const std::size_t padded = Padded(attention.keys);
    std::fill(scores + attention.keys, scores + padded, -std::numeric_limits<float>::infinity());
    Vector most = Load(scores);
    for (std::size_t i = kLanes; i < padded; i += kLanes) {
      const Vector v = Load(scores + i);
      most = v > most ? v : most;
    }
    float top = most[0];
    for (std::size_t lane = 1; lane < kLanes; ++lane) top = std::max(top, most[lane]);
    const float scale = attention.scale;
    for (std::size_t i = 0; i < padded; ++i) scores[i] = VectorExp((scores[i] - top) * scale);
    Vector sums = {};
    for (std::size_t i = 0; i < padded; i += kLanes) sums += Load(scores + i);
    float sum = 0;
    for (std::size_t lane = 0; lane < kLanes; ++lane) sum += sums[lane];
    return 1 / sum;
  }

  static void Sum(const Attention& attention, const Scratch& scratch, std::size_t columns,
                  std::size_t first, std::size_t queries, float* output) {
    Vector sums[kSummed][kWide] = {};
    for (std::size_t key = 0; key < attention.keys; ++key) {
      const float* row = scratch.values[columns][key];
      Vector value[kWide];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kWide; ++i) value[i] = Load(row + i * kLanes);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kSummed; ++r) {
        const float weight = scratch.scores[first + r][key];
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kWide; ++i) sums[r][i] += weight * value[i];
      }
    }
    for (std::size_t r = 0; r < queries; ++r)
      for (std::size_t i = 0; i < kWide; ++i)
        Store(output + r * attention.output.row_stride + i * kLanes,
              sums[r][i] * scratch.factors[first + r]);
  }
};

}  // namespace headroom::kernels
