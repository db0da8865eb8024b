// The convolutions with which conformers begin (NVIDIA NeMo's DwStridingSubsampling): of 3 x 3
// numbers, zeros around the edges, and every second one kept of times and of bands.
//
// Of a channel c, at time t and band b, with i and j of 0…2:
//   output(t, b, c) = bias(c) + Σ weights(i, j, c) input(2t + i - 1, 2b + j - 1)
// The channels of one place lie together, so that one instruction computes as many as a register
// holds: that of (t, b, c) is [(t * bands + b) * channels + c], of weights likewise with 3 bands.
#pragma once

#include <cstddef>

namespace headroom::kernels {

/// As many times or bands come out.
constexpr std::size_t Halved(std::size_t n) {
  return (n + 1) / 2;
}

struct Convolution {
  const float* weights = nullptr;  // 3 times, 3 bands, channels
  const float* bias = nullptr;     // channels; null: 0
};

/// More bands of a spectrogram would take too much of the stack.
constexpr std::size_t kMostBands = 256;

/// `first` of all of the spectrogram, ReLU, and `second` of each channel by itself. What is between
/// them is never there as a whole.
struct SpectrogramConvolutions {
  std::size_t times = 0, bands = 0;  // of the input; at most kMostBands
  std::size_t channels = 0;
  const float* input = nullptr;  // a row of times for each band
  Convolution first, second;
  float* output = nullptr;  // halved twice
};

/// Of each channel by itself.
struct ChannelConvolution {
  std::size_t times = 0, bands = 0;  // of the input
  std::size_t channels = 0;
  const float* input = nullptr;
  Convolution by;
  float* output = nullptr;
};

/// Part `part` of `parts` of the output's times, which threads may compute side by side. Takes
/// 90 KB of stack.
void Convolve(const SpectrogramConvolutions& all, std::size_t part, std::size_t parts);
void Convolve(const ChannelConvolution& all, std::size_t part, std::size_t parts);

}  // namespace headroom::kernels
