// Operations of the engine on the processor that src/kernels has quicker: replaced at link time
// (--wrap). What the kernels do not cover goes on to the engine.
#include <ggml.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "kernels/attention.h"
#include "kernels/gelu.h"
#include "kernels/matmul_q8.h"

// As ggml-cpu-impl.h has it, which is no public header.
struct ggml_compute_params {
  int part, parts;  // this thread, of how many
};

// The linker sets the prefixes. NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
bool __real_llamafile_sgemm(const ggml_compute_params* params, std::int64_t rows,
                            std::int64_t columns, std::int64_t inner, const void* weights,
                            std::int64_t weights_stride, const void* input,
                            std::int64_t input_stride, void* output, std::int64_t output_stride,
                            int weights_type, int input_type, int output_type);
bool __wrap_llamafile_sgemm(const ggml_compute_params* params, std::int64_t rows,
                            std::int64_t columns, std::int64_t inner, const void* weights,
                            std::int64_t weights_stride, const void* input,
                            std::int64_t input_stride, void* output, std::int64_t output_stride,
                            int weights_type, int input_type, int output_type);
void __real_ggml_compute_forward_unary(const ggml_compute_params* params, ggml_tensor* result);
void __wrap_ggml_compute_forward_unary(const ggml_compute_params* params, ggml_tensor* result);
void __real_ggml_compute_forward_flash_attn_ext(const ggml_compute_params* params,
                                                ggml_tensor* result);
void __wrap_ggml_compute_forward_flash_attn_ext(const ggml_compute_params* params,
                                                ggml_tensor* result);
}

namespace headroom::worker {
namespace {

// The part of `all` that this thread computes, in whole cache lines.
std::span<float> PartOf(const ggml_compute_params& params, std::span<float> all) {
  constexpr std::size_t kLine = 16;
  const std::size_t lines = (all.size() + kLine - 1) / kLine;
  const auto edge = [&](int part) {
    const std::size_t line =
        lines * static_cast<std::size_t>(part) / static_cast<std::size_t>(params.parts);
    return std::min(line * kLine, all.size());
  };
  const std::size_t begin = edge(params.part);
  return all.subspan(begin, edge(params.part + 1) - begin);
}

bool IsPlain(const ggml_tensor* tensor) {
  return tensor->type == GGML_TYPE_F32 && ggml_is_contiguous(tensor);
}

bool ComputeGelu(const ggml_compute_params& params, ggml_tensor* result) {
  const ggml_tensor* input = result->src[0];
  if (!kernels::HasQuickGelu() || ggml_get_unary_op(result) != GGML_UNARY_OP_GELU_ERF ||
      !IsPlain(input) || !IsPlain(result))
    return false;
  const auto n = static_cast<std::size_t>(ggml_nelements(result));
  const std::span<float> into = PartOf(params, {static_cast<float*>(result->data), n});
  const auto begin = static_cast<std::size_t>(into.data() - static_cast<float*>(result->data));
  kernels::Gelu({static_cast<const float*>(input->data) + begin, into.size()}, into);
  return true;
}

bool Multiply(const ggml_compute_params& params, const kernels::Q8Product& product) {
  static const kernels::Q8Kernel kernel = kernels::BestQ8Kernel();
  if (kernel == kernels::Q8Kernel::kNone || !kernels::IsForQ8Kernel(product)) return false;
  kernels::MultiplyQ8(kernel, product, static_cast<std::size_t>(params.part),
                      static_cast<std::size_t>(params.parts));
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

bool ComputeAttention(const ggml_compute_params& params, ggml_tensor* result) {
  static const kernels::AttentionKernel kernel = kernels::BestAttentionKernel();
  const ggml_tensor *q = result->src[0], *k = result->src[1], *v = result->src[2],
                    *mask = result->src[3], *sinks = result->src[4];
  const std::optional<float> scale = ScaleOf(result);
  if (kernel == kernels::AttentionKernel::kNone || !scale || sinks || !IsHeads(q, GGML_TYPE_F32) ||
      !IsPlain(result) || q->ne[0] != v->ne[0] || q->ne[2] != k->ne[2] || q->ne[2] != v->ne[2] ||
      k->ne[1] != v->ne[1] || k->ne[1] > static_cast<std::int64_t>(kernels::kMostKeys))
    return false;
  const auto heads = static_cast<std::size_t>(q->ne[2]), size = static_cast<std::size_t>(q->ne[0]),
             queries = static_cast<std::size_t>(q->ne[1]),
             keys = static_cast<std::size_t>(k->ne[1]);
  const auto part = static_cast<std::size_t>(params.part),
             parts = static_cast<std::size_t>(params.parts);
  // The result has the heads of one query one after the other.
  const kernels::Heads<float> output{static_cast<float*>(result->data), heads * size, size};
  if (q->ne[1] < kFewestQueries) {
    const bool plain_mask = !mask || (IsHeads(mask, GGML_TYPE_F16) && mask->ne[2] == 1);
    if (!plain_mask || !IsHeads(k, GGML_TYPE_F16) || !IsHeads(v, GGML_TYPE_F16) ||
        size % kernels::kHeadSize != 0)
      return false;
    const kernels::Heads<const std::uint16_t> added =
        mask ? HeadsOf<std::uint16_t>(mask) : kernels::Heads<const std::uint16_t>{};
    kernels::AttendCached(kernel,
                          {.heads = heads,
                           .queries = queries,
                           .keys = keys,
                           .head_size = size,
                           .scale = *scale,
                           .q = HeadsOf<float>(q),
                           .k = HeadsOf<std::uint16_t>(k),
                           .v = HeadsOf<std::uint16_t>(v),
                           .mask = added.data,
                           .mask_stride = added.row_stride,
                           .output = output},
                          part, parts);
    return true;
  }
  if (mask || !IsHeads(k, GGML_TYPE_F32) || !IsHeads(v, GGML_TYPE_F32) ||
      size != kernels::kHeadSize)
    return false;
  kernels::Attend(kernel,
                  {.heads = heads,
                   .queries = queries,
                   .keys = keys,
                   .scale = *scale,
                   .q = HeadsOf<float>(q),
                   .k = HeadsOf<float>(k),
                   .v = HeadsOf<float>(v),
                   .output = output},
                  part, parts);
  return true;
}

}  // namespace
}  // namespace headroom::worker

extern "C" {
bool __wrap_llamafile_sgemm(const ggml_compute_params* params, std::int64_t rows,
                            std::int64_t columns, std::int64_t inner, const void* weights,
                            std::int64_t weights_stride, const void* input,
                            std::int64_t input_stride, void* output, std::int64_t output_stride,
                            int weights_type, int input_type, int output_type) {
  using headroom::kernels::Q8Block;
  if (weights_type == GGML_TYPE_Q8_0 && input_type == GGML_TYPE_Q8_0 &&
      output_type == GGML_TYPE_F32 &&
      headroom::worker::Multiply(*params,
                                 {.rows = static_cast<std::size_t>(rows),
                                  .columns = static_cast<std::size_t>(columns),
                                  .blocks = static_cast<std::size_t>(inner),
                                  .weights = static_cast<const Q8Block*>(weights),
                                  .weights_stride = static_cast<std::size_t>(weights_stride),
                                  .input = static_cast<const Q8Block*>(input),
                                  .input_stride = static_cast<std::size_t>(input_stride),
                                  .output = static_cast<float*>(output),
                                  .output_stride = static_cast<std::size_t>(output_stride)}))
    return true;
  return __real_llamafile_sgemm(params, rows, columns, inner, weights, weights_stride, input,
                                input_stride, output, output_stride, weights_type, input_type,
                                output_type);
}

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
