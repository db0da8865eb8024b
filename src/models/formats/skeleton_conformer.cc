#include "models/formats/skeleton_conformer.h"

#include <fmt/format.h>

namespace headroom::models {
namespace {

constexpr std::int64_t kHeads = 8, kKernel = 9, kChannels = 256;

// Mel bands that are left after the three convolutions of 3 with a stride of 2.
std::int64_t BandsLeft(const Conformer& encoder) {
  std::int64_t bands = encoder.mels;
  for (int i = 0; i < 3; ++i) bands = (bands + (encoder.causal ? 3 : 2) - 3) / 2 + 1;
  return bands;
}

void AddSubsampling(const Conformer& encoder, SkeletonParts& parts) {
  for (const int i : {0, 2, 3, 5, 6}) {
    const std::string conv = fmt::format("enc.pre_encode.conv.{}", i);
    if (i == 3 || i == 6)
      parts.Tensor(conv + ".weight", {1, 1, kChannels, kChannels});
    else
      parts.Tensor(conv + ".weight", {3, 3, 1, kChannels});
    parts.Tensor(conv + ".bias", {kChannels});
  }
  parts.Linear("enc.pre_encode.out", kChannels * BandsLeft(encoder), encoder.width);
}

void AddBlock(const Conformer& encoder, const std::string& block, SkeletonParts& parts) {
  const std::int64_t width = encoder.width;
  const auto linear = [&](const std::string& name, std::int64_t in, std::int64_t out) {
    parts.Tensor(name + ".weight", {in, out});
    if (encoder.bias) parts.Tensor(name + ".bias", {out});
  };
  const auto convolution = [&](const std::string& name, std::initializer_list<std::int64_t> ne) {
    parts.Tensor(name + ".weight", ne);
    if (encoder.bias) parts.Tensor(name + ".bias", {*(ne.end() - 1)});
  };
  for (const char* norm : {"norm_ff1", "norm_attn", "norm_conv", "norm_ff2", "norm_out"})
    parts.Norm(fmt::format("{}.{}", block, norm), width);
  for (const char* half : {"ff1", "ff2"}) {
    linear(fmt::format("{}.{}.linear1", block, half), width, 4 * width);
    linear(fmt::format("{}.{}.linear2", block, half), 4 * width, width);
  }
  for (const char* part : {"q", "k", "v", "out"})
    linear(fmt::format("{}.attn.linear_{}", block, part), width, width);
  parts.Tensor(block + ".attn.linear_pos.weight", {width, width});
  parts.Tensor(block + ".attn.pos_bias_u", {width / kHeads, kHeads});
  parts.Tensor(block + ".attn.pos_bias_v", {width / kHeads, kHeads});
  convolution(block + ".conv.pointwise1", {1, width, 2 * width});
  convolution(block + ".conv.depthwise", {kKernel, 1, width});
  convolution(block + ".conv.pointwise2", {1, width, width});
  parts.Norm(block + ".conv.bn", width);
  if (encoder.causal) return;
  parts.Tensor(block + ".conv.bn.running_mean", {width});
  parts.Tensor(block + ".conv.bn.running_var", {width});
}

}  // namespace

void SetConformerKeys(std::string_view at, const Conformer& encoder, GgufKeys& keys) {
  const auto set = [&](const char* key, std::int64_t value) {
    keys.SetUnsigned(fmt::format("{}{}", at, key), static_cast<std::uint32_t>(value));
  };
  set("n_layers", encoder.layers);
  set("d_model", encoder.width);
  set("n_heads", kHeads);
  set("d_ff", 4 * encoder.width);
  set("conv_kernel", kKernel);
  set("subsampling_factor", 8);
  set("subsampling_channels", kChannels);
  set("pos_emb_max_len", 5000);
  keys.SetBool(fmt::format("{}use_bias", at), encoder.bias);
}

void SetConformerFrontend(std::int64_t mels, std::string_view normalize, GgufKeys& keys) {
  keys.SetText("stt.frontend.type", "mel");
  keys.SetUnsigned("stt.frontend.num_mels", static_cast<std::uint32_t>(mels));
  keys.SetUnsigned("stt.frontend.sample_rate", 16000);
  keys.SetUnsigned("stt.frontend.n_fft", 512);
  keys.SetUnsigned("stt.frontend.win_length", 400);
  keys.SetUnsigned("stt.frontend.hop_length", 160);
  keys.SetText("stt.frontend.window", "hann");
  keys.SetText("stt.frontend.normalize", normalize);
  keys.SetFloat("stt.frontend.dither", 0);
  keys.SetFloat("stt.frontend.pre_emphasis", 0.97F);
  keys.SetFloat("stt.frontend.f_min", 0);
  keys.SetFloat("stt.frontend.f_max", 8000);
  keys.SetText("stt.frontend.pad_mode", "constant");
}

void AddConformer(const Conformer& encoder, SkeletonParts& parts) {
  AddSubsampling(encoder, parts);
  for (std::int64_t i = 0; i < encoder.layers; ++i)
    AddBlock(encoder, fmt::format("enc.blocks.{}", i), parts);
}

}  // namespace headroom::models
