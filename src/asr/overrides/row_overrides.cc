// Replaces operations over rows that the engine computes number by number on the CPU, at link time
// (--wrap, see overrides.tsv): adding or multiplying one number per row (biases and norms of
// convolutions), and concatenating tensors.
#include <ggml.h>
#include <ggml/src/ggml-cpu/binary-ops.h>
#include <ggml/src/ggml-cpu/ggml-cpu-impl.h>
#include <ggml/src/ggml-cpu/ops.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "asr/kernels/rows.h"
#include "asr/overrides/engine_type.h"

// The linker sets the prefixes. NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
void __real_ggml_compute_forward_add_non_quantized(const ggml_compute_params* params,
                                                   ggml_tensor* result);
void __wrap_ggml_compute_forward_add_non_quantized(const ggml_compute_params* params,
                                                   ggml_tensor* result);
void __real_ggml_compute_forward_mul(const ggml_compute_params* params, ggml_tensor* result);
void __wrap_ggml_compute_forward_mul(const ggml_compute_params* params, ggml_tensor* result);
void __real_ggml_compute_forward_concat(const ggml_compute_params* params, ggml_tensor* result);
void __wrap_ggml_compute_forward_concat(const ggml_compute_params* params, ggml_tensor* result);
}
static_assert(std::is_same_v<decltype(__wrap_ggml_compute_forward_add_non_quantized),
                             decltype(ggml_compute_forward_add_non_quantized)>,
              ENGINE_CHANGED);
static_assert(
    std::is_same_v<decltype(__wrap_ggml_compute_forward_mul), decltype(ggml_compute_forward_mul)>,
    ENGINE_CHANGED);
static_assert(std::is_same_v<decltype(__wrap_ggml_compute_forward_concat),
                             decltype(ggml_compute_forward_concat)>,
              ENGINE_CHANGED);

namespace headroom::worker {
namespace {

// Row `row` of `of`, of as many as `like` has; what `of` has fewer of is repeated.
char* RowOf(const ggml_tensor* of, const ggml_tensor* like, std::int64_t row) {
  const std::int64_t i1 = row % like->ne[1] % of->ne[1];
  const std::int64_t i2 = row / like->ne[1] % like->ne[2] % of->ne[2];
  const std::int64_t i3 = row / like->ne[1] / like->ne[2] % of->ne[3];
  return static_cast<char*>(of->data) + static_cast<std::size_t>(i1) * of->nb[1] +
         static_cast<std::size_t>(i2) * of->nb[2] + static_cast<std::size_t>(i3) * of->nb[3];
}

// Calls `of` with each row that is this thread's.
template <class OfRow>
void ForRows(const ggml_compute_params& params, const ggml_tensor* result, const OfRow& of) {
  const std::int64_t rows = ggml_nrows(result);
  for (std::int64_t row = rows * params.ith / params.nth;
       row < rows * (params.ith + 1) / params.nth; ++row)
    of(row);
}

bool HasFloatRows(const ggml_tensor* tensor) {
  return tensor->type == GGML_TYPE_F32 && tensor->nb[0] == sizeof(float);
}

template <class Combine>
bool CombineRows(const ggml_compute_params& params, ggml_tensor* result, const Combine& combine) {
  const ggml_tensor *rows = result->src[0], *numbers = result->src[1];
  if (!HasFloatRows(rows) || !HasFloatRows(result) || numbers->type != GGML_TYPE_F32 ||
      numbers->ne[0] != 1 || rows->ne[0] == 1)
    return false;
  const auto n = static_cast<std::size_t>(rows->ne[0]);
  ForRows(params, result, [&](std::int64_t row) {
    const auto* from = reinterpret_cast<const float*>(RowOf(rows, result, row));
    auto* to = reinterpret_cast<float*>(RowOf(result, result, row));
    const float number = *reinterpret_cast<const float*>(RowOf(numbers, result, row));
    combine(std::span(from, n), number, std::span(to, n));
  });
  return true;
}

// Whole rows lie together in what is put together.
bool ConcatRows(const ggml_compute_params& params, ggml_tensor* result) {
  const ggml_tensor *first = result->src[0], *second = result->src[1];
  const std::size_t size = ggml_type_size(result->type);
  if (ggml_blck_size(result->type) != 1 || first->nb[0] != size || second->nb[0] != size ||
      result->nb[0] != size)
    return false;
  const int along = result->op_params[0];
  const std::size_t bytes = static_cast<std::size_t>(first->ne[0]) * size,
                    more = static_cast<std::size_t>(second->ne[0]) * size;
  ForRows(params, result, [&](std::int64_t row) {
    char* to = RowOf(result, result, row);
    if (along == 0) {
      std::memcpy(to, RowOf(first, result, row), bytes);
      std::memcpy(to + bytes, RowOf(second, result, row), more);
      return;
    }
    // Where the row is in the dimension along which they are put together, and in the others.
    std::int64_t at[GGML_MAX_DIMS] = {0, row % result->ne[1], row / result->ne[1] % result->ne[2],
                                      row / result->ne[1] / result->ne[2]};
    const bool is_first = at[along] < first->ne[along];
    if (!is_first) at[along] -= first->ne[along];
    const ggml_tensor* from = is_first ? first : second;
    std::size_t offset = 0;
    for (int i = 1; i < GGML_MAX_DIMS; ++i) offset += static_cast<std::size_t>(at[i]) * from->nb[i];
    std::memcpy(to, static_cast<const char*>(from->data) + offset, bytes);
  });
  return true;
}

}  // namespace
}  // namespace headroom::worker

extern "C" {
void __wrap_ggml_compute_forward_add_non_quantized(const ggml_compute_params* params,
                                                   ggml_tensor* result) {
  if (!headroom::worker::CombineRows(*params, result, headroom::kernels::AddToAll))
    __real_ggml_compute_forward_add_non_quantized(params, result);
}

void __wrap_ggml_compute_forward_mul(const ggml_compute_params* params, ggml_tensor* result) {
  if (!headroom::worker::CombineRows(*params, result, headroom::kernels::MultiplyAll))
    __real_ggml_compute_forward_mul(params, result);
}

void __wrap_ggml_compute_forward_concat(const ggml_compute_params* params, ggml_tensor* result) {
  if (!headroom::worker::ConcatRows(*params, result))
    __real_ggml_compute_forward_concat(params, result);
}
}
// NOLINTEND(bugprone-reserved-identifier)
