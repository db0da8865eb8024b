#include "asr/kernels/subsampling.h"

#include <algorithm>

#include "asr/kernels/clones.h"

namespace headroom::kernels {
namespace {

constexpr std::size_t kWidth = 3, kTaps = kWidth * kWidth;
constexpr std::size_t kBlock = 32;  // channels
// Times of the output, of which what is read and written stays in the L2 cache for all blocks.
constexpr std::size_t kTile = 8;
// What kTile times are made of: every one of 3 that overlap, and those of 3 again.
constexpr std::size_t kMostLines = 4 * kTile + 3;

/// Weights of some channels; zeros behind the last channel.
struct alignas(64) Block {
  Block(const Convolution& from, std::size_t channels, std::size_t first)
      : count(std::min(kBlock, channels - first)) {
    for (std::size_t tap = 0; tap < kTaps; ++tap)
      std::copy_n(from.weights + tap * channels + first, count, weights[tap]);
    if (from.bias) std::copy_n(from.bias + first, count, bias);
  }

  float weights[kTaps][kBlock] = {};
  float bias[kBlock] = {};
  std::size_t count;
};

alignas(64) constexpr float kZeros[kBlock] = {};

// Inlined, so that the clones have them for their CPUs.

// Of each of three lines the numbers at `at` and the two behind it, for all channels.
[[gnu::always_inline]] inline void WeighNumbers(const float* const* lines, std::size_t at,
                                                const Block& by, float* __restrict output) {
  const float n0 = lines[0][at], n1 = lines[0][at + 1], n2 = lines[0][at + 2];
  const float n3 = lines[1][at], n4 = lines[1][at + 1], n5 = lines[1][at + 2];
  const float n6 = lines[2][at], n7 = lines[2][at + 1], n8 = lines[2][at + 2];
  const auto& w = by.weights;
  for (std::size_t c = 0; c < kBlock; ++c) {
    const float sum = by.bias[c] + n0 * w[0][c] + n1 * w[1][c] + n2 * w[2][c] + n3 * w[3][c] +
                      n4 * w[4][c] + n5 * w[5][c] + n6 * w[6][c] + n7 * w[7][c] + n8 * w[8][c];
    output[c] = sum > 0 ? sum : 0;
  }
}

[[gnu::always_inline]] inline void WeighChannels(const float* const* taps, const Block& by,
                                                 std::size_t n, float* __restrict output) {
  const float *t0 = taps[0], *t1 = taps[1], *t2 = taps[2], *t3 = taps[3], *t4 = taps[4],
              *t5 = taps[5], *t6 = taps[6], *t7 = taps[7], *t8 = taps[8];
  const auto& w = by.weights;
  for (std::size_t c = 0; c < n; ++c)
    output[c] = by.bias[c] + t0[c] * w[0][c] + t1[c] * w[1][c] + t2[c] * w[2][c] + t3[c] * w[3][c] +
                t4[c] * w[4][c] + t5[c] * w[5][c] + t6[c] * w[6][c] + t7[c] * w[7][c] +
                t8[c] * w[8][c];
}

/// Some channels of three times.
struct Places {
  const float* rows[kWidth];  // null: zeros
  std::size_t bands, stride;  // from one band to the next
};

// One time of the output, bands `stride` apart.
[[gnu::always_inline]] inline void WeighPlaces(const Places& from, const Block& by, float* output,
                                               std::size_t stride) {
  for (std::size_t band = 0; band < Halved(from.bands); ++band) {
    const float* taps[kTaps];
    for (std::size_t i = 0; i < kWidth; ++i) {
      for (std::size_t j = 0; j < kWidth; ++j) {
        const std::size_t at = 2 * band + j;  // one more than the band
        const bool inside = from.rows[i] && at > 0 && at <= from.bands;
        taps[i * kWidth + j] = inside ? from.rows[i] + (at - 1) * from.stride : kZeros;
      }
    }
    float* into = output + band * stride;
    if (by.count == kBlock)
      WeighChannels(taps, by, kBlock, into);
    else
      WeighChannels(taps, by, by.count, into);
  }
}

struct Times {
  std::size_t begin, end;
};

// Those of the part, kTile at a time.
template <class Compute>
void ForTiles(std::size_t times, std::size_t part, std::size_t parts, const Compute& compute) {
  const std::size_t end = times * (part + 1) / parts;
  for (std::size_t begin = times * part / parts; begin < end; begin += kTile)
    compute(Times{begin, std::min(begin + kTile, end)});
}

/// The times of the spectrogram that a tile is made of, with a zero on both sides of the bands.
struct Lines {
  Lines(const SpectrogramConvolutions& all, const Times& tile) {
    const std::size_t count = 4 * (tile.end - tile.begin) + 3, ahead = 3;
    const std::size_t first = 4 * tile.begin;  // `ahead` more than the first time
    const std::size_t begin = first < ahead ? ahead - first : 0;
    const std::size_t end = std::clamp(all.times + ahead - first, begin, count);
    for (std::size_t line = 0; line < count; ++line)
      std::fill_n(numbers[line], all.bands + 2, 0.0F);
    for (std::size_t band = 0; band < all.bands; ++band) {
      const float* from = all.input + band * all.times;
      for (std::size_t line = begin; line < end; ++line)
        numbers[line][band + 1] = from[first + line - ahead];
    }
  }

  float numbers[kMostLines][kMostBands + 2];
};

HEADROOM_CLONES void ConvolveTile(const SpectrogramConvolutions& all, const Times& tile,
                                  const Lines& lines, const Block& first, const Block& second,
                                  std::size_t channel) {
  const std::size_t times = Halved(all.times), bands = Halved(all.bands);
  // The last three times between the convolutions.
  alignas(64) float between[kWidth][Halved(kMostBands)][kBlock];
  Places places{.rows = {}, .bands = bands, .stride = kBlock};
  for (std::size_t i = 0; i < 2 * (tile.end - tile.begin) + 1; ++i) {
    const std::size_t time = 2 * tile.begin + i;  // one more than the time
    float(*row)[kBlock] = between[i % kWidth];
    std::rotate(places.rows, places.rows + 1, places.rows + kWidth);
    places.rows[kWidth - 1] = time > 0 && time <= times ? row[0] : nullptr;
    if (places.rows[kWidth - 1]) {
      const float* of[kWidth] = {lines.numbers[2 * i], lines.numbers[2 * i + 1],
                                 lines.numbers[2 * i + 2]};
      for (std::size_t band = 0; band < bands; ++band) WeighNumbers(of, 2 * band, first, row[band]);
    }
    if (i == 0 || i % 2 != 0) continue;
    const std::size_t place = (tile.begin + i / 2 - 1) * Halved(bands);
    WeighPlaces(places, second, all.output + place * all.channels + channel, all.channels);
  }
}

HEADROOM_CLONES void ConvolveTile(const ChannelConvolution& all, const Times& tile, const Block& by,
                                  std::size_t channel) {
  const std::size_t row = all.bands * all.channels;
  for (std::size_t time = tile.begin; time < tile.end; ++time) {
    Places places{.rows = {}, .bands = all.bands, .stride = all.channels};
    for (std::size_t i = 0; i < kWidth; ++i) {
      const std::size_t at = 2 * time + i;  // one more than the time
      if (at > 0 && at <= all.times) places.rows[i] = all.input + (at - 1) * row + channel;
    }
    WeighPlaces(places, by, all.output + time * Halved(all.bands) * all.channels + channel,
                all.channels);
  }
}

}  // namespace

void Convolve(const SpectrogramConvolutions& all, std::size_t part, std::size_t parts) {
  ForTiles(Halved(Halved(all.times)), part, parts, [&](const Times& tile) {
    const Lines lines(all, tile);
    for (std::size_t channel = 0; channel < all.channels; channel += kBlock)
      ConvolveTile(all, tile, lines, Block(all.first, all.channels, channel),
                   Block(all.second, all.channels, channel), channel);
  });
}

void Convolve(const ChannelConvolution& all, std::size_t part, std::size_t parts) {
  ForTiles(Halved(all.times), part, parts, [&](const Times& tile) {
    for (std::size_t channel = 0; channel < all.channels; channel += kBlock)
      ConvolveTile(all, tile, Block(all.by, all.channels, channel), channel);
  });
}

}  // namespace headroom::kernels
