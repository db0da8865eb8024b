// Compiled for AVX2: nothing of it may run, or be inlined elsewhere, without it.
#include <algorithm>
#include <limits>

#include "asr/kernels/attention_parts.h"
#include "asr/kernels/registers.h"
#include "asr/kernels/vector_math.h"

namespace headroom::kernels {
namespace {

constexpr std::size_t kLanes = 8;
constexpr float kNever = -std::numeric_limits<float>::infinity();

float Sum(__m256 lanes) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

float Dot(const float* query, const std::uint16_t* key, std::size_t size) {
  constexpr std::size_t kSums = 4;
  __m256 sums[kSums] = {};
  for (std::size_t i = 0; i < size; i += kSums * kLanes) {
#pragma GCC unroll 4
    for (std::size_t s = 0; s < kSums; ++s)
      sums[s] = _mm256_fmadd_ps(_mm256_loadu_ps(query + i + s * kLanes),
                                Avx2Floats::Widened(key + i + s * kLanes), sums[s]);
  }
  return Sum(_mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3])));
}

// The scores of all keys; minus infinity for those that are masked. Returns the greatest.
float Score(const Attention<std::uint16_t>& attention, std::size_t query, std::size_t head,
            float* scores) {
  const float* q =
      attention.q.data + head * attention.q.head_stride + query * attention.q.row_stride;
  const std::uint16_t* k = attention.k.data + head * attention.k.head_stride;
  const std::uint16_t* mask = attention.mask.data;
  if (mask) mask += head * attention.mask.head_stride + query * attention.mask.row_stride;
  float most = kNever;
  for (std::size_t key = 0; key < attention.keys; ++key) {
    const float added = mask ? _cvtsh_ss(mask[key]) : 0.0F;
    scores[key] = added == kNever ? kNever
                                  : Dot(q, k + key * attention.k.row_stride, attention.head_size) *
                                            attention.scale +
                                        added;
    most = std::max(most, scores[key]);
  }
  return most;
}

// kHeadSize columns of the weighted sum of the values, times `factor`.
void SumValues(const Attention<std::uint16_t>& attention, const float* weights,
               const std::uint16_t* values, float factor, float* output) {
  constexpr std::size_t kWide = kHeadSize / kLanes;
  __m256 sums[kWide] = {};
  for (std::size_t key = 0; key < attention.keys; ++key) {
    if (weights[key] == 0) continue;  // what is masked may be no number
    const std::uint16_t* row = values + key * attention.v.row_stride;
    const __m256 weight = _mm256_set1_ps(weights[key]);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kWide; ++i)
      sums[i] = _mm256_fmadd_ps(weight, Avx2Floats::Widened(row + i * kLanes), sums[i]);
  }
  for (std::size_t i = 0; i < kWide; ++i)
    _mm256_storeu_ps(output + i * kLanes, _mm256_mul_ps(sums[i], _mm256_set1_ps(factor)));
}

void AttendRow(const Attention<std::uint16_t>& attention, std::size_t query, std::size_t head) {
  float* output = attention.output.data + head * attention.output.head_stride +
                  query * attention.output.row_stride;
  alignas(32) float weights[kMostKeys];
  const float most = Score(attention, query, head, weights);
  if (most == kNever) {
    std::fill_n(output, attention.head_size, 0.0F);
    return;
  }
  const std::size_t padded = (attention.keys + kLanes - 1) / kLanes * kLanes;
  std::fill(weights + attention.keys, weights + padded, kNever);
  for (std::size_t i = 0; i < padded; ++i) weights[i] = VectorExp(weights[i] - most);
  __m256 sums = _mm256_setzero_ps();
  for (std::size_t i = 0; i < padded; i += kLanes)
    sums = _mm256_add_ps(sums, _mm256_load_ps(weights + i));
  const std::uint16_t* values = attention.v.data + head * attention.v.head_stride;
  for (std::size_t column = 0; column < attention.head_size; column += kHeadSize)
    SumValues(attention, weights, values + column, 1 / Sum(sums), output + column);
}

}  // namespace

void AttendCachedAvx2(const Attention<std::uint16_t>& attention, std::size_t part,
                      std::size_t parts) {
  const std::size_t rows = attention.queries * attention.heads;
  for (std::size_t row = rows * part / parts; row < rows * (part + 1) / parts; ++row)
    AttendRow(attention, row / attention.heads, row % attention.heads);
}

}  // namespace headroom::kernels
