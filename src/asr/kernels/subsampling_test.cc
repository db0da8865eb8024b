#include "asr/kernels/subsampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <span>
#include <vector>

namespace headroom::kernels {
namespace {

std::vector<float> Noise(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> number;
  std::vector<float> noise(n);
  std::ranges::generate(noise, [&] { return number(random); });
  return noise;
}

struct Size {
  std::size_t times, bands, channels;
};

constexpr Size kSizes[] = {{1, 1, 1},  {2, 2, 3},     {3, 5, 33},   {4, 4, 32},
                           {1, 9, 40}, {9, 1, 64},    {7, 80, 5},   {33, 16, 96},
                           {65, 6, 8}, {131, 19, 70}, {70, 256, 35}};

/// Numbers in channels of places of times, in double precision.
struct Numbers {
  Numbers(std::size_t times_, std::size_t bands_, std::size_t channels_)
      : times(times_), bands(bands_), channels(channels_), data(times_ * bands_ * channels_) {}
  double& At(std::size_t t, std::size_t b, std::size_t c) {
    return data[(t * bands + b) * channels + c];
  }

  std::size_t times, bands, channels;
  std::vector<double> data;
};

/// The formula; all channels of one input, or each of its own.
Numbers Expected(Numbers& input, std::size_t channels, const Convolution& by) {
  Numbers output(Halved(input.times), Halved(input.bands), channels);
  for (std::size_t t = 0; t < output.times; ++t)
    for (std::size_t b = 0; b < output.bands; ++b)
      for (std::size_t c = 0; c < channels; ++c) {
        double& sum = output.At(t, b, c);
        if (by.bias) sum = static_cast<double>(by.bias[c]);
        for (std::size_t i = 0; i < 3; ++i)
          for (std::size_t j = 0; j < 3; ++j) {
            const std::size_t time = 2 * t + i, band = 2 * b + j;
            if (time == 0 || band == 0 || time > input.times || band > input.bands) continue;
            const auto weight = static_cast<double>(by.weights[(i * 3 + j) * channels + c]);
            sum += weight * input.At(time - 1, band - 1, input.channels == 1 ? 0 : c);
          }
      }
  return output;
}

struct Weights {
  Weights(std::size_t channels, unsigned seed, bool biased)
      : weights(Noise(9 * channels, seed)), bias(Noise(channels, seed + 1)), with_bias(biased) {}
  Convolution view() const { return {weights.data(), with_bias ? bias.data() : nullptr}; }

  std::vector<float> weights, bias;
  bool with_bias;
};

/// All parts but the last write nothing that is not theirs.
template <class Convolutions>
void ExpectParts(Convolutions convolutions, const Numbers& expected) {
  for (const std::size_t parts : {1U, 2U, 3U, 7U}) {
    const std::size_t row = expected.bands * expected.channels, n = expected.data.size();
    constexpr float kUntouched = -12345.0F;
    std::vector<float> output(n + 1, kUntouched);
    convolutions.output = output.data();
    for (std::size_t part = 0; part < parts; ++part) {
      Convolve(convolutions, part, parts);
      const std::size_t done = expected.times * (part + 1) / parts * row;
      EXPECT_TRUE(std::ranges::all_of(std::span(output).subspan(done),
                                      [](float number) { return number == kUntouched; }));
    }
    for (std::size_t i = 0; i < n; ++i)
      ASSERT_NEAR(output[i], expected.data[i], 1e-4) << i << " of " << n << ", " << parts;
  }
}

TEST(Subsampling, OfASpectrogramIsTheFormulaTwice) {
  for (const auto& [times, bands, channels] : kSizes) {
    for (const bool biased : {false, true}) {
      SCOPED_TRACE(testing::Message() << times << " times, " << bands << " bands, " << channels);
      const std::vector<float> input = Noise(times * bands, 1);
      const Weights first(channels, 2, biased), second(channels, 4, biased);
      Numbers spectrogram(times, bands, 1);
      for (std::size_t t = 0; t < times; ++t)
        for (std::size_t b = 0; b < bands; ++b)
          spectrogram.At(t, b, 0) = static_cast<double>(input[b * times + t]);
      Numbers between = Expected(spectrogram, channels, first.view());
      for (double& number : between.data) number = std::max(number, 0.0);
      ExpectParts(SpectrogramConvolutions{.times = times,
                                          .bands = bands,
                                          .channels = channels,
                                          .input = input.data(),
                                          .first = first.view(),
                                          .second = second.view()},
                  Expected(between, channels, second.view()));
    }
  }
}

TEST(Subsampling, OfChannelsIsTheFormula) {
  for (const auto& [times, bands, channels] : kSizes) {
    for (const bool biased : {false, true}) {
      SCOPED_TRACE(testing::Message() << times << " times, " << bands << " bands, " << channels);
      const std::vector<float> input = Noise(times * bands * channels, 1);
      const Weights by(channels, 2, biased);
      Numbers numbers(times, bands, channels);
      std::ranges::copy(input, numbers.data.begin());
      ExpectParts(ChannelConvolution{.times = times,
                                     .bands = bands,
                                     .channels = channels,
                                     .input = input.data(),
                                     .by = by.view()},
                  Expected(numbers, channels, by.view()));
    }
  }
}

}  // namespace
}  // namespace headroom::kernels
