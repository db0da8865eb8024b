// Replaces operations of the engine on the CPU (GELU, attention) with the faster ones of
// asr/kernels, at link time (--wrap, see overrides.tsv). The engine computes what the kernels do
// not cover.
#include <ggml.h>
#include <ggml/src/ggml-cpu/ggml-cpu-impl.h>
#include <ggml/src/ggml-cpu/ops.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "asr/kernels/attention.h"
#include "asr/kernels/gelu.h"
#include "asr/overrides/engine_type.h"

// The linker sets the prefixes. NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
void __real_ggml_compute_forward_unary(const ggml_compute_params* params, ggml_tensor* result);
void __wrap_ggml_compute_forward_unary(const ggml_compute_params* params, ggml_tensor* result);
void __real_ggml_compute_forward_flash_attn_ext(const ggml_compute_params* params,
                                                ggml_tensor* result);
void __wrap_ggml_compute_forward_flash_attn_ext(const ggml_compute_params* params,
                                                ggml_tensor* result);
}
static_assert(std::is_same_v<decltype(__wrap_ggml_compute_forward_unary),
                             decltype(ggml_compute_forward_unary)>,
              ENGINE_CHANGED);
static_assert(std::is_same_v<decltype(__wrap_ggml_compute_forward_flash_attn_ext),
                             decltype(ggml_compute_forward_flash_attn_ext)>,
              ENGINE_CHANGED);

namespace headroom::worker {
namespace {

// The part of `all` that this thread computes, in whole cache lines.
std::span<float> PartOf(const ggml_compute_params& params, std::span<float> all) {
  constexpr std::size_t kLine = 16;
  const std::size_t lines = (all.size() + kLine - 1) / kLine;
  const auto edge = [&](int part) {
    const std::size_t line =
        lines * static_cast<std::size_t>(part) / static_cast<std::size_t>(params.nth);
    return std::min(line * kLine, all.size());
  };
  const std::size_t begin = edge(params.ith);
  return all.subspan(begin, edge(params.ith + 1) - begin);
}

bool IsPlain(const ggml_tensor* tensor) {
  return tensor->type == GGML_TYPE_F32 && ggml_is_contiguous(tensor);
}

bool ComputeGelu(const ggml_compute_params& params, ggml_tensor* result) {
  const ggml_tensor* input = result->src[0];
  if (!kernels::HasVectorGelu() || ggml_get_unary_op(result) != GGML_UNARY_OP_GELU_ERF ||
      !IsPlain(input) || !IsPlain(result))
    return false;
  const auto n = static_cast<std::size_t>(ggml_nelements(result));
  const std::span<float> into = PartOf(params, {static_cast<float*>(result->data), n});
  const auto begin = static_cast<std::size_t>(into.data() - static_cast<float*>(result->data));
  kernels::Gelu({static_cast<const float*>(input->data) + begin, into.size()}, into);
  return true;
}

// Fewer queries do not pay for transposing the keys.
constexpr std::int64_t kFewestQueries = 32;

// Numbers of one row lie one after the other; no second batch.
bool IsHeads(const ggml_tensor* tensor, ggml_type type) {
  const std::size_t size = ggml_type_size(type);
  return tensor->type == type && tensor->ne[3] == 1 && tensor->nb[0] == size &&
         tensor->nb[1] % size == 0 && tensor->nb[2] % size == 0;
}

template <class Number>
kernels::Heads<const Number> HeadsOf(const ggml_tensor* tensor) {
  return {static_cast<const Number*>(tensor->data), tensor->nb[1] / sizeof(Number),
          tensor->nb[2] / sizeof(Number)};
}

// The factor of the scores, where there is nothing else.
std::optional<float> ScaleOf(const ggml_tensor* result) {
  struct {
    float scale, max_bias, softcap;
  } numbers{};
  std::memcpy(&numbers, result->op_params, sizeof numbers);
  if (numbers.max_bias != 0 || numbers.softcap != 0) return std::nullopt;
  return numbers.scale;
}

// None, one for all heads, or one for each.
bool IsMask(const ggml_tensor* tensor, std::int64_t heads) {
  return !tensor ||
         (IsHeads(tensor, GGML_TYPE_F16) && (tensor->ne[2] == 1 || tensor->ne[2] == heads));
}

kernels::Heads<const std::uint16_t> MaskOf(const ggml_tensor* tensor) {
  if (!tensor) return {};
  kernels::Heads<const std::uint16_t> mask = HeadsOf<std::uint16_t>(tensor);
  if (tensor->ne[2] == 1) mask.head_stride = 0;
  return mask;
}

template <class Number>
kernels::Attention<Number> AttentionOf(const ggml_tensor* result, float scale) {
  const ggml_tensor *q = result->src[0], *k = result->src[1], *v = result->src[2];
  const auto heads = static_cast<std::size_t>(q->ne[2]), size = static_cast<std::size_t>(q->ne[0]);
  return {.heads = heads,
          .queries = static_cast<std::size_t>(q->ne[1]),
          .keys = static_cast<std::size_t>(k->ne[1]),
          .head_size = size,
          .scale = scale,
          .q = HeadsOf<float>(q),
          .k = HeadsOf<Number>(k),
          .v = HeadsOf<Number>(v),
          .mask = MaskOf(result->src[3]),
          // The result has the heads of one query one after the other.
          .output = {static_cast<float*>(result->data), heads * size, size}};
}

bool ComputeAttention(const ggml_compute_params& params, ggml_tensor* result) {
  static const kernels::VectorKernel kernel = kernels::BestAttentionKernel();
  const ggml_tensor *q = result->src[0], *k = result->src[1], *v = result->src[2],
                    *mask = result->src[3], *sinks = result->src[4];
  const std::optional<float> scale = ScaleOf(result);
  if (kernel == kernels::VectorKernel::kNone || !scale || sinks || !IsHeads(q, GGML_TYPE_F32) ||
      !IsHeads(k, k->type) || !IsHeads(v, k->type) || !IsMask(mask, q->ne[2]) || !IsPlain(result) ||
      q->ne[0] != v->ne[0] || q->ne[2] != k->ne[2] || q->ne[2] != v->ne[2] ||
      k->ne[1] != v->ne[1] || k->ne[1] > static_cast<std::int64_t>(kernels::kMostKeys))
    return false;
  const auto size = static_cast<std::size_t>(q->ne[0]);
  const bool many = q->ne[1] >= kFewestQueries;
  if (many ? !kernels::IsForAttend(size) : size % kernels::kHeadSize != 0) return false;
  const auto part = static_cast<std::size_t>(params.ith),
             parts = static_cast<std::size_t>(params.nth);
  if (k->type == GGML_TYPE_F16) {
    const auto attend = many ? kernels::Attend<std::uint16_t> : kernels::AttendCached;
    attend(kernel, AttentionOf<std::uint16_t>(result, *scale), part, parts);
    return true;
  }
  if (k->type != GGML_TYPE_F32 || !many) return false;
  kernels::Attend(kernel, AttentionOf<float>(result, *scale), part, parts);
  return true;
}

}  // namespace
}  // namespace headroom::worker

extern "C" {
void __wrap_ggml_compute_forward_unary(const ggml_compute_params* params, ggml_tensor* result) {
  if (!headroom::worker::ComputeGelu(*params, result))
    __real_ggml_compute_forward_unary(params, result);
}

void __wrap_ggml_compute_forward_flash_attn_ext(const ggml_compute_params* params,
                                                ggml_tensor* result) {
  if (!headroom::worker::ComputeAttention(*params, result))
    __real_ggml_compute_forward_flash_attn_ext(params, result);
}
}
// NOLINTEND(bugprone-reserved-identifier)
