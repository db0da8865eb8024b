// Operations of the engine on the processor that src/kernels has quicker: replaced at link time
// (--wrap). What the kernels do not cover goes on to the engine.
#include <ggml.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

// Rows of numbers that lie one after the other, of heads of the one size.
bool IsHeads(const ggml_tensor* tensor) {
  return tensor->type == GGML_TYPE_F32 && tensor->ne[0] == kernels::kHeadSize &&
         tensor->ne[3] == 1 && tensor->nb[0] == sizeof(float) &&
         tensor->nb[1] % sizeof(float) == 0 && tensor->nb[2] % sizeof(float) == 0;
}

kernels::Heads<const float> HeadsOf(const ggml_tensor* tensor) {
  return {static_cast<const float*>(tensor->data), tensor->nb[1] / sizeof(float),
          tensor->nb[2] / sizeof(float)};
}

bool ComputeAttention(const ggml_compute_params& params, ggml_tensor* result) {
  static const kernels::AttentionKernel kernel = kernels::BestAttentionKernel();
  const ggml_tensor *q = result->src[0], *k = result->src[1], *v = result->src[2];
  const bool masked = result->src[3] || result->src[4];
  if (kernel == kernels::AttentionKernel::kNone || masked || !IsHeads(q) || !IsHeads(k) ||
      !IsHeads(v) || !IsPlain(result))
    return false;
  if (q->ne[2] != k->ne[2] || q->ne[2] != v->ne[2] || k->ne[1] != v->ne[1] ||
      q->ne[1] < kFewestQueries || k->ne[1] > static_cast<std::int64_t>(kernels::kMostKeys))
    return false;
  struct {
    float scale, max_bias, softcap;
  } numbers{};
  std::memcpy(&numbers, result->op_params, sizeof numbers);
  if (numbers.max_bias != 0 || numbers.softcap != 0) return false;
  const auto heads = static_cast<std::size_t>(q->ne[2]);
  // The result has the heads of one query one after the other.
  kernels::Attend(kernel,
                  {.heads = heads,
                   .queries = static_cast<std::size_t>(q->ne[1]),
                   .keys = static_cast<std::size_t>(k->ne[1]),
                   .scale = numbers.scale,
                   .q = HeadsOf(q),
                   .k = HeadsOf(k),
                   .v = HeadsOf(v),
                   .output = {static_cast<float*>(result->data), heads * kernels::kHeadSize,
                              kernels::kHeadSize}},
                  static_cast<std::size_t>(params.part), static_cast<std::size_t>(params.parts));
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
