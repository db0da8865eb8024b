#include "asr/overrides/matmul_override.h"

#include <ggml.h>
#include <ggml/src/ggml-cpu/ggml-cpu-impl.h>
#include <ggml/src/ggml-cpu/llamafile/sgemm.h>
#include <src/transcribe-load-common.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "asr/kernels/matmul_float.h"
#include "asr/kernels/matmul_q8.h"
#include "asr/overrides/engine_type.h"

// The last is transcribe::load_common::promote_conv_pw_f16_to_f32_on_cpu, as the Itanium C++ ABI
// names it; the linker sets the prefixes. NOLINTBEGIN(bugprone-reserved-identifier)
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
transcribe_status
__real__ZN10transcribe11load_common33promote_conv_pw_f16_to_f32_on_cpuERKNS_11BackendPlanERKSt6vectorINS0_13ConvPwF32SlotESaIS5_EEPKcPP12ggml_contextPP19ggml_backend_buffer(
    const transcribe::BackendPlan& plan,
    const std::vector<transcribe::load_common::ConvPwF32Slot>& slots, const char* tag,
    ggml_context** context, ggml_backend_buffer_t* buffer);
transcribe_status
__wrap__ZN10transcribe11load_common33promote_conv_pw_f16_to_f32_on_cpuERKNS_11BackendPlanERKSt6vectorINS0_13ConvPwF32SlotESaIS5_EEPKcPP12ggml_contextPP19ggml_backend_buffer(
    const transcribe::BackendPlan& plan,
    const std::vector<transcribe::load_common::ConvPwF32Slot>& slots, const char* tag,
    ggml_context** context, ggml_backend_buffer_t* buffer);
}
static_assert(std::is_same_v<decltype(__wrap_llamafile_sgemm), decltype(llamafile_sgemm)>,
              ENGINE_CHANGED);
static_assert(
    std::is_same_v<
        decltype(__wrap__ZN10transcribe11load_common33promote_conv_pw_f16_to_f32_on_cpuERKNS_11BackendPlanERKSt6vectorINS0_13ConvPwF32SlotESaIS5_EEPKcPP12ggml_contextPP19ggml_backend_buffer),
        decltype(transcribe::load_common::promote_conv_pw_f16_to_f32_on_cpu)>,
    ENGINE_CHANGED);

namespace headroom::worker {
namespace {

bool Multiply(const ggml_compute_params& params, const kernels::Q8Product& product) {
  static const kernels::Q8Kernel kernel = kernels::BestQ8Kernel();
  if (kernel == kernels::Q8Kernel::kNone || !kernels::IsForQ8Kernel(product)) return false;
  kernels::MultiplyQ8(kernel, product, static_cast<std::size_t>(params.ith),
                      static_cast<std::size_t>(params.nth));
  return true;
}

bool Multiply(const ggml_compute_params& params, const kernels::FloatProduct& product) {
  static const kernels::VectorKernel kernel = kernels::BestVectorKernel();
  if (kernel == kernels::VectorKernel::kNone || !kernels::IsForFloatKernel(product)) return false;
  kernels::MultiplyFloats(kernel, product, static_cast<std::size_t>(params.ith),
                          static_cast<std::size_t>(params.nth));
  return true;
}

bool IsFloat(int type) {
  return type == GGML_TYPE_F32 || type == GGML_TYPE_F16;
}

}  // namespace

bool MultipliesHalves() {
  return kernels::BestVectorKernel() != kernels::VectorKernel::kNone;
}

}  // namespace headroom::worker

extern "C" {
bool __wrap_llamafile_sgemm(const ggml_compute_params* params, std::int64_t rows,
                            std::int64_t columns, std::int64_t inner, const void* weights,
                            std::int64_t weights_stride, const void* input,
                            std::int64_t input_stride, void* output, std::int64_t output_stride,
                            int weights_type, int input_type, int output_type) {
  using headroom::kernels::Q8Block;
  using headroom::worker::IsFloat;
  using headroom::worker::Multiply;
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  if (output_type == GGML_TYPE_F32) {
    if (weights_type == GGML_TYPE_Q8_0 && input_type == GGML_TYPE_Q8_0 &&
        Multiply(*params,
                 headroom::kernels::Q8Product{.rows = size(rows),
                                              .columns = size(columns),
                                              .blocks = size(inner),
                                              .weights = static_cast<const Q8Block*>(weights),
                                              .weights_stride = size(weights_stride),
                                              .input = static_cast<const Q8Block*>(input),
                                              .input_stride = size(input_stride),
                                              .output = static_cast<float*>(output),
                                              .output_stride = size(output_stride)}))
      return true;
    if (IsFloat(weights_type) && IsFloat(input_type) &&
        Multiply(*params,
                 headroom::kernels::FloatProduct{
                     .rows = size(rows),
                     .columns = size(columns),
                     .inner = size(inner),
                     .weights = {weights, weights_type == GGML_TYPE_F16, size(weights_stride)},
                     .input = {input, input_type == GGML_TYPE_F16, size(input_stride)},
                     .output = static_cast<float*>(output),
                     .output_stride = size(output_stride)}))
      return true;
  }
  return __real_llamafile_sgemm(params, rows, columns, inner, weights, weights_stride, input,
                                input_stride, output, output_stride, weights_type, input_type,
                                output_type);
}

transcribe_status
__wrap__ZN10transcribe11load_common33promote_conv_pw_f16_to_f32_on_cpuERKNS_11BackendPlanERKSt6vectorINS0_13ConvPwF32SlotESaIS5_EEPKcPP12ggml_contextPP19ggml_backend_buffer(
    const transcribe::BackendPlan& plan,
    const std::vector<transcribe::load_common::ConvPwF32Slot>& slots, const char* tag,
    ggml_context** context, ggml_backend_buffer_t* buffer) {
  if (headroom::worker::MultipliesHalves()) return TRANSCRIBE_OK;
  return __real__ZN10transcribe11load_common33promote_conv_pw_f16_to_f32_on_cpuERKNS_11BackendPlanERKSt6vectorINS0_13ConvPwF32SlotESaIS5_EEPKcPP12ggml_contextPP19ggml_backend_buffer(
      plan, slots, tag, context, buffer);
}
}
// NOLINTEND(bugprone-reserved-identifier)
