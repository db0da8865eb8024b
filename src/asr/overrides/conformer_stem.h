// The convolutions with which conformers begin (Canary, Parakeet); at link time (--wrap) ours take
// the engine's place where the processor computes.
//
// The engine unrolls convolutions into products of matrices, the first one in one thread, and keeps
// all that lies between them, which took half of an encoder's time and most of its memory. Ours are
// src/asr/kernels/subsampling.h, and products where all channels are mixed; what comes out is the
// same but for rounding.
#pragma once

#include <ggml.h>

namespace headroom::worker {

/// transcribe::conformer::PreEncodeView and ConvPolicy, as the engine's conformer.h has them, which
/// is no public header. Biases may be null. Kernels: bands, times, channels that come in and out.
struct StemWeights {
  ggml_tensor *conv0_w, *conv0_b;  // 3 x 3, one channel comes in
  ggml_tensor *conv2_w, *conv2_b;  // 3 x 3, each channel by itself
  ggml_tensor *conv3_w, *conv3_b;  // 1 x 1, all channels
  ggml_tensor *conv5_w, *conv5_b;  // as conv2
  ggml_tensor *conv6_w, *conv6_b;  // as conv3
  ggml_tensor *out_w, *out_b;
};
struct StemPolicy {
  bool direct_pointwise, direct_conv0, direct_depthwise_in_block, direct_depthwise;
  bool causal;  // padded otherwise
  bool masked_after_stride, pointwise_in_f32;
};

/// Whether this thread's graphs get ours from now on: only the processor can compute it. At first
/// they do not.
void UseQuickStem(bool use);

}  // namespace headroom::worker
