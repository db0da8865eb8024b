#include "asr/overrides/conformer_stem.h"

#include <src/conformer/conformer.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <type_traits>

#include "asr/kernels/subsampling.h"
#include "asr/overrides/engine_type.h"

// transcribe::conformer::build_pre_encode(ggml_context*, const PreEncodeView&, ggml_tensor*, const
// ConvPolicy&, const char*, const char*, PreEncodeValidMasks*), as the Itanium C++ ABI names it;
// the linker sets the prefixes. NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
ggml_tensor*
__real__ZN10transcribe9conformer16build_pre_encodeEP12ggml_contextRKNS0_13PreEncodeViewEP11ggml_tensorRKNS0_10ConvPolicyEPKcSC_PNS0_19PreEncodeValidMasksE(
    ggml_context* context, const transcribe::conformer::PreEncodeView& weights, ggml_tensor* mel,
    const transcribe::conformer::ConvPolicy& policy, const char* prefix, const char* tag,
    transcribe::conformer::PreEncodeValidMasks* masks);
ggml_tensor*
__wrap__ZN10transcribe9conformer16build_pre_encodeEP12ggml_contextRKNS0_13PreEncodeViewEP11ggml_tensorRKNS0_10ConvPolicyEPKcSC_PNS0_19PreEncodeValidMasksE(
    ggml_context* context, const transcribe::conformer::PreEncodeView& weights, ggml_tensor* mel,
    const transcribe::conformer::ConvPolicy& policy, const char* prefix, const char* tag,
    transcribe::conformer::PreEncodeValidMasks* masks);
}
static_assert(
    std::is_same_v<
        decltype(__wrap__ZN10transcribe9conformer16build_pre_encodeEP12ggml_contextRKNS0_13PreEncodeViewEP11ggml_tensorRKNS0_10ConvPolicyEPKcSC_PNS0_19PreEncodeValidMasksE),
        decltype(transcribe::conformer::build_pre_encode)>,
    ENGINE_CHANGED);

namespace headroom::worker {
namespace {

using transcribe::conformer::ConvPolicy;
using transcribe::conformer::PreEncodeView;

thread_local bool use_override = false;

constexpr std::int64_t kTaps = 9;

bool HasShape(const ggml_tensor* tensor, const std::array<std::int64_t, GGML_MAX_DIMS>& shape) {
  return tensor && std::equal(shape.begin(), shape.end(), tensor->ne);
}

bool IsKernel(const ggml_tensor* tensor, std::int64_t side, std::int64_t in, std::int64_t out) {
  return HasShape(tensor, {side, side, in, out}) && ggml_is_contiguous(tensor) &&
         (tensor->type == GGML_TYPE_F16 || tensor->type == GGML_TYPE_F32);
}

bool IsBias(const ggml_tensor* tensor, std::int64_t channels) {
  return !tensor || (HasShape(tensor, {channels, 1, 1, 1}) && tensor->type == GGML_TYPE_F32);
}

std::size_t Size(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

std::int64_t Half(std::int64_t n) {
  return static_cast<std::int64_t>(kernels::Halved(Size(n)));
}

bool Replaces(const PreEncodeView& w, const ggml_tensor* mel, const ConvPolicy& policy) {
  if (!w.conv0_w || !w.out_w || policy.causal_pre_encode) return false;
  const std::int64_t channels = w.conv0_w->ne[3], times = mel->ne[0], bands = mel->ne[1];
  const bool each = IsKernel(w.conv0_w, 3, 1, channels) && IsKernel(w.conv2_w, 3, 1, channels) &&
                    IsKernel(w.conv5_w, 3, 1, channels);
  const bool all =
      IsKernel(w.conv3_w, 1, channels, channels) && IsKernel(w.conv6_w, 1, channels, channels);
  bool biases = true;
  for (const ggml_tensor* bias : {w.conv0_b, w.conv2_b, w.conv3_b, w.conv5_b, w.conv6_b})
    biases = biases && IsBias(bias, channels);
  return each && all && biases && HasShape(mel, {times, bands, 1, 1}) &&
         mel->type == GGML_TYPE_F32 && ggml_is_contiguous(mel) &&
         bands <= static_cast<std::int64_t>(kernels::kMostBands) &&
         w.out_w->ne[0] == channels * Half(Half(Half(bands)));
}

kernels::Convolution ConvolutionOf(const ggml_tensor* weights, const ggml_tensor* bias) {
  return {static_cast<const float*>(weights->data),
          bias ? static_cast<const float*>(bias->data) : nullptr};
}

void ConvolveSpectrogram(ggml_tensor* result, int part, int parts, void*) {
  const ggml_tensor* mel = result->src[0];
  kernels::Convolve(
      kernels::SpectrogramConvolutions{.times = Size(mel->ne[0]),
                                       .bands = Size(mel->ne[1]),
                                       .channels = Size(result->ne[0]),
                                       .input = static_cast<const float*>(mel->data),
                                       .first = ConvolutionOf(result->src[1], result->src[3]),
                                       .second = ConvolutionOf(result->src[2], result->src[4]),
                                       .output = static_cast<float*>(result->data)},
      Size(part), Size(parts));
}

void ConvolveChannels(ggml_tensor* result, int part, int parts, void*) {
  const ggml_tensor* input = result->src[0];
  kernels::Convolve(kernels::ChannelConvolution{.times = Size(input->ne[2]),
                                                .bands = Size(input->ne[1]),
                                                .channels = Size(input->ne[0]),
                                                .input = static_cast<const float*>(input->data),
                                                .by = ConvolutionOf(result->src[1], result->src[2]),
                                                .output = static_cast<float*>(result->data)},
                    Size(part), Size(parts));
}

/// Tensors of it have the channels, bands and times in this order.
class Stem {
 public:
  Stem(ggml_context* context, std::int64_t channels) : context_(context), channels_(channels) {}

  ggml_tensor* Spectrogram(ggml_tensor* mel, ggml_tensor* first, ggml_tensor* first_bias,
                           ggml_tensor* second, ggml_tensor* second_bias) {
    std::array sources{mel, Weights(first), Weights(second), first_bias, second_bias};
    return Custom(Half(Half(mel->ne[1])), Half(Half(mel->ne[0])), sources, ConvolveSpectrogram);
  }

  ggml_tensor* Channels(ggml_tensor* input, ggml_tensor* weights, ggml_tensor* bias) {
    std::array sources{input, Weights(weights), bias};
    return Custom(Half(input->ne[1]), Half(input->ne[2]), sources, ConvolveChannels);
  }

  /// A convolution of single places, which is a product of matrices, and ReLU.
  ggml_tensor* Mix(ggml_tensor* input, ggml_tensor* weights, ggml_tensor* bias) {
    const std::int64_t bands = input->ne[1], times = input->ne[2];
    ggml_tensor* x =
        ggml_mul_mat(context_, ggml_reshape_2d(context_, weights, channels_, channels_),
                     ggml_reshape_2d(context_, input, channels_, bands * times));
    if (bias) x = ggml_add(context_, x, bias);
    return ggml_reshape_3d(context_, ggml_relu(context_, x), channels_, bands, times);
  }

 private:
  // As the kernels want them: all channels of a tap together, in F32.
  ggml_tensor* Weights(ggml_tensor* weights) {
    ggml_tensor* taps = ggml_reshape_2d(context_, weights, kTaps, channels_);
    return ggml_cast(context_, ggml_transpose(context_, taps), GGML_TYPE_F32);
  }

  template <std::size_t kCount>
  ggml_tensor* Custom(std::int64_t bands, std::int64_t times,
                      std::array<ggml_tensor*, kCount>& sources, ggml_custom_op_t compute) {
    return ggml_custom_4d(context_, GGML_TYPE_F32, channels_, bands, times, 1, sources.data(),
                          kCount, compute, GGML_N_TASKS_MAX, nullptr);
  }

  ggml_context* context_;
  std::int64_t channels_;
};

ggml_tensor* BuildStem(ggml_context* context, const PreEncodeView& w, ggml_tensor* mel) {
  Stem stem(context, w.conv0_w->ne[3]);
  ggml_tensor* x = stem.Spectrogram(mel, w.conv0_w, w.conv0_b, w.conv2_w, w.conv2_b);
  x = stem.Mix(x, w.conv3_w, w.conv3_b);
  x = stem.Channels(x, w.conv5_w, w.conv5_b);
  x = stem.Mix(x, w.conv6_w, w.conv6_b);
  // The last layer has the bands of a channel together.
  x = ggml_cont(context, ggml_permute(context, x, 1, 0, 2, 3));
  x = ggml_reshape_3d(context, x, w.out_w->ne[0], x->ne[2], 1);
  x = ggml_mul_mat(context, w.out_w, x);
  return w.out_b ? ggml_add(context, x, w.out_b) : x;
}

}  // namespace

void UseStemOverride(bool use) {
  use_override = use;
}

}  // namespace headroom::worker

extern "C" {
ggml_tensor*
__wrap__ZN10transcribe9conformer16build_pre_encodeEP12ggml_contextRKNS0_13PreEncodeViewEP11ggml_tensorRKNS0_10ConvPolicyEPKcSC_PNS0_19PreEncodeValidMasksE(
    ggml_context* context, const transcribe::conformer::PreEncodeView& weights, ggml_tensor* mel,
    const transcribe::conformer::ConvPolicy& policy, const char* prefix, const char* tag,
    transcribe::conformer::PreEncodeValidMasks* masks) {
  namespace ours = headroom::worker;
  if (!ours::use_override || masks || !ours::Replaces(weights, mel, policy))
    return __real__ZN10transcribe9conformer16build_pre_encodeEP12ggml_contextRKNS0_13PreEncodeViewEP11ggml_tensorRKNS0_10ConvPolicyEPKcSC_PNS0_19PreEncodeValidMasksE(
        context, weights, mel, policy, prefix, tag, masks);
  ggml_tensor* stem = ours::BuildStem(context, weights, mel);
  if (prefix) ggml_set_name(stem, (std::string(prefix) + ".out").c_str());
  return stem;
}
}  // NOLINTEND(bugprone-reserved-identifier)
