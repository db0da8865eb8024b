// Operations of the engine on the processor that src/kernels has quicker: replaced at link time
// (--wrap). What the kernels do not cover goes on to the engine.
#include <ggml.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

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
}
// NOLINTEND(bugprone-reserved-identifier)
