#include "audio/decode/decode_resample.h"

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/frame.h>
#include <libavutil/opt.h>
#include <libavutil/samplefmt.h>
#include <libswresample/swresample.h>
}

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "audio/format/format.h"

namespace headroom::audio {
namespace {

constexpr int kLowestRate = 1000, kHighestRate = 768000;

// How loud a channel is in the mix. Speech sits in the centre of a film's sound; the LFE channel
// holds none. The weights are divided by their sum, so that no mix can clip.
double Weight(AVChannel channel) {
  switch (channel) {
    case AV_CHAN_FRONT_CENTER:
      return 1.0;
    case AV_CHAN_LOW_FREQUENCY:
    case AV_CHAN_LOW_FREQUENCY_2:
      return 0.0;
    case AV_CHAN_FRONT_LEFT:
    case AV_CHAN_FRONT_RIGHT:
    case AV_CHAN_STEREO_LEFT:
    case AV_CHAN_STEREO_RIGHT:
      return 0.7;
    default:
      return 0.5;
  }
}

std::vector<double> Weights(const AVChannelLayout& layout) {
  std::vector<double> weights(static_cast<std::size_t>(layout.nb_channels), 1.0);
  if (layout.order == AV_CHANNEL_ORDER_NATIVE || layout.order == AV_CHANNEL_ORDER_CUSTOM) {
    for (std::size_t c = 0; c < weights.size(); ++c)
      weights[c] =
          Weight(::av_channel_layout_channel_from_index(&layout, static_cast<unsigned>(c)));
  }
  double sum = 0;
  for (const double weight : weights) sum += weight;
  for (double& weight : weights)
    weight = sum > 0 ? weight / sum : 1.0 / static_cast<double>(weights.size());
  return weights;
}

// Unsigned 8-bit has its zero at 128; the others are signed.
template <class T>
constexpr double kScale = std::is_floating_point_v<T> ? 1.0
                          : std::is_same_v<T, std::uint8_t>
                              ? 1.0 / 128
                              : 1.0 / (static_cast<double>(std::numeric_limits<T>::max()) + 1);

/// Adds the channels of `frame`, whose samples are T, into `mono`; returns how many were not
/// finite.
template <class T>
std::int64_t Mix(const AVFrame& frame, const std::vector<double>& weights,
                 std::vector<float>& mono) {
  const bool planar = ::av_sample_fmt_is_planar(static_cast<AVSampleFormat>(frame.format)) != 0;
  const std::size_t stride = planar ? 1 : weights.size();
  std::int64_t non_finite = 0;
  for (std::size_t c = 0; c < weights.size(); ++c) {
    if (weights[c] == 0) continue;
    const std::uint8_t* bytes = planar ? frame.extended_data[c] : frame.extended_data[0];
    const T* samples = reinterpret_cast<const T*>(bytes) + (planar ? 0 : c);
    const auto gain = static_cast<float>(weights[c] * kScale<T>);
    for (std::size_t i = 0; i < mono.size(); ++i) {
      const T sample = samples[i * stride];
      if constexpr (std::is_floating_point_v<T>) {
        if (!std::isfinite(sample)) {
          ++non_finite;
          continue;
        }
        // Finite but absurd values must not become Inf on their way through the filter.
        mono[i] += gain * static_cast<float>(std::clamp(sample, T{-1e6}, T{1e6}));
      } else if constexpr (std::is_same_v<T, std::uint8_t>) {
        mono[i] += gain * (static_cast<float>(sample) - 128);
      } else {
        mono[i] += gain * static_cast<float>(sample);
      }
    }
  }
  return non_finite;
}

using Mixer = std::int64_t (*)(const AVFrame&, const std::vector<double>&, std::vector<float>&);

Mixer MixerFor(AVSampleFormat format) {
  switch (::av_get_packed_sample_fmt(format)) {
    case AV_SAMPLE_FMT_U8:
      return Mix<std::uint8_t>;
    case AV_SAMPLE_FMT_S16:
      return Mix<std::int16_t>;
    case AV_SAMPLE_FMT_S32:
      return Mix<std::int32_t>;
    case AV_SAMPLE_FMT_S64:
      return Mix<std::int64_t>;
    case AV_SAMPLE_FMT_FLT:
      return Mix<float>;
    case AV_SAMPLE_FMT_DBL:
      return Mix<double>;
    default:
      return nullptr;
  }
}

}  // namespace

void Resampler::Free::operator()(SwrContext* swr) const {
  ::swr_free(&swr);
}

Result<> Resampler::Add(const AVFrame& frame, std::vector<float>& out) {
  const Mixer mix = MixerFor(static_cast<AVSampleFormat>(frame.format));
  if (!mix || frame.nb_samples < 0 || frame.ch_layout.nb_channels <= 0)
    return Fail(Errc::kUnsupported, "its samples are in a form that is not read");
  if (frame.sample_rate != rate_) TRY(SetRate(frame.sample_rate, out));
  mono_.assign(static_cast<std::size_t>(frame.nb_samples), 0.0F);
  non_finite_ += mix(frame, Weights(frame.ch_layout), mono_);
  return Convert(mono_.data(), frame.nb_samples, out);
}

Result<> Resampler::Finish(std::vector<float>& out) {
  while (swr_) {
    const std::size_t before = out.size();
    TRY(Convert(nullptr, 0, out));
    if (out.size() == before) break;
  }
  return {};
}

Result<> Resampler::SetRate(int rate, std::vector<float>& out) {
  TRY(Finish(out));
  if (rate < kLowestRate || rate > kHighestRate)
    return Fail(Errc::kUnsupported, "a sampling rate of {} Hz is not read", rate);
  rate_ = rate;
  swr_.reset();
  if (rate == kSampleRate) return {};

  SwrContext* swr = nullptr;
  AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;  // FFmpeg 5.1 takes it without const
  if (::swr_alloc_set_opts2(&swr, &mono, AV_SAMPLE_FMT_FLT, kSampleRate, &mono, AV_SAMPLE_FMT_FLT,
                            rate, 0, nullptr) < 0)
    return Fail(Errc::kNoMemory, "make a resampler");
  swr_.reset(swr);
  // 64 taps at the lower of the two rates: flat to 7.4 kHz, and what lies above 8.6 kHz is gone.
  ::av_opt_set_int(swr, "filter_size", 64, 0);
  ::av_opt_set_double(swr, "cutoff", 0.96, 0);
  if (::swr_init(swr) < 0) return Fail(Errc::kUnsupported, "cannot resample from {} Hz", rate);
  return {};
}

Result<> Resampler::Convert(const float* in, int count, std::vector<float>& out) {
  const std::size_t before = out.size();
  if (!swr_) {
    out.insert(out.end(), in, in + count);
  } else {
    const int room = ::swr_get_out_samples(swr_.get(), count);
    if (room < 0) return Fail(Errc::kInternal, "resample");
    out.resize(before + static_cast<std::size_t>(room));
    auto* to = reinterpret_cast<std::uint8_t*>(out.data() + before);
    const auto* from = reinterpret_cast<const std::uint8_t*>(in);
    const int n = ::swr_convert(swr_.get(), &to, room, in ? &from : nullptr, count);
    if (n < 0) return Fail(Errc::kNoMemory, "resample");
    out.resize(before + static_cast<std::size_t>(n));
  }
  for (std::size_t i = before; i < out.size(); ++i) out[i] = std::clamp(out[i], -1.0F, 1.0F);
  return {};
}

}  // namespace headroom::audio
