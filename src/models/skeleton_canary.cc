#include <fmt/format.h>

#include "models/skeleton_parts.h"

namespace headroom::models {
namespace {

// From the engine's canary documentation; what it does not say (vocabularies, positions) is fixed
// by the published sizes. Encoders have 8 heads, a convolution of 9 and 128 mel bands; decoders are
// 1024 wide with feed-forward layers of 4096 and 8 heads.
struct Dimensions {
  std::string_view model;
  std::int64_t encoder_layers, width, decoder_layers, vocabulary, positions;
  bool one_vocabulary;      // one SentencePiece model for all languages
  std::string_view prompt;  // the format's name
};
constexpr Dimensions kModels[] = {
    {"canary-1b-flash", 32, 1024, 4, 5248, 1024, false, "canary2"},
    {"canary-180m-flash", 17, 512, 4, 5248, 1024, false, "canary2"},
    {"canary-1b-v2", 32, 1024, 8, 16384, 1024, true, "canary2"},
    {"canary-1b", 24, 1024, 24, 4128, 512, false, "canary"},
};
constexpr std::int64_t kHeads = 8, kKernel = 9, kMels = 128, kSubsampling = 8, kChannels = 256;
constexpr std::int64_t kDecoderWidth = 1024, kDecoderInner = 4096;
constexpr std::int64_t kLongestEncoding = 5000;

constexpr std::string_view kLanguages[] = {"en", "de", "es", "fr"};
constexpr std::string_view kSpecials[] = {
    "startoftranscript",
    "endoftext",
    "pad",
    "nospeech",
    "startofcontext",
    "pnc",
    "nopnc",
    "itn",
    "noitn",
    "timestamp",
    "notimestamp",
    "diarize",
    "nodiarize",
    "transcribe",
    "translate",
};

void SetVocabulary(SkeletonParts& parts, const Dimensions& model) {
  GgufKeys& keys = parts.keys;
  std::vector<std::string> tokens{"<unk>"};
  for (const std::string_view special : kSpecials) {
    // The older prompt names its task; the newer one tells it from the languages.
    if ((special == "transcribe" || special == "translate") && model.prompt == "canary2") continue;
    keys.SetUnsigned(fmt::format("stt.canary.special.{}_id", special),
                     static_cast<std::uint32_t>(tokens.size()));
    tokens.push_back(fmt::format("<|{}|>", special));
  }
  for (const std::string_view language : kLanguages) {
    keys.SetUnsigned(fmt::format("stt.canary.special.lang.{}_id", language),
                     static_cast<std::uint32_t>(tokens.size()));
    tokens.push_back(fmt::format("<|{}|>", language));
  }
  while (std::ssize(tokens) < model.vocabulary) tokens.push_back(fmt::format("w{}", tokens.size()));
  keys.SetText("stt.canary.tokenizer.prompt_format", model.prompt);
  keys.SetBool("stt.canary.tokenizer.single_sp", model.one_vocabulary);
  keys.SetText("tokenizer.ggml.model", "unigram");
  keys.SetUnsigned("tokenizer.ggml.unknown_token_id", 0);
  keys.SetUnsigned("tokenizer.ggml.bos_token_id", 1);
  keys.SetUnsigned("tokenizer.ggml.eos_token_id", 2);
  keys.SetUnsigned("tokenizer.ggml.padding_token_id", 3);
  keys.SetTexts("tokenizer.ggml.tokens", tokens);
}

void SetKeys(SkeletonParts& parts, const Dimensions& model) {
  GgufKeys& keys = parts.keys;
  keys.SetText("general.architecture", "canary");
  keys.SetText("general.type", "model");
  keys.SetUnsigned("general.file_type", parts.file_type);
  keys.SetText("stt.variant", model.model);
  keys.SetTexts("general.languages", {std::begin(kLanguages), std::end(kLanguages)});
  const auto encoder = [&](const char* key, std::int64_t value) {
    keys.SetUnsigned(fmt::format("stt.canary.encoder.{}", key), static_cast<std::uint32_t>(value));
  };
  encoder("n_layers", model.encoder_layers);
  encoder("d_model", model.width);
  encoder("n_heads", kHeads);
  encoder("d_ff", 4 * model.width);
  encoder("conv_kernel", kKernel);
  encoder("subsampling_factor", kSubsampling);
  encoder("subsampling_channels", kChannels);
  encoder("pos_emb_max_len", kLongestEncoding);
  keys.SetBool("stt.canary.encoder.use_bias", true);
  const auto decoder = [&](const char* key, std::int64_t value) {
    keys.SetUnsigned(fmt::format("stt.canary.decoder.{}", key), static_cast<std::uint32_t>(value));
  };
  decoder("n_layers", model.decoder_layers);
  decoder("d_model", kDecoderWidth);
  decoder("n_heads", kHeads);
  decoder("d_ff", kDecoderInner);
  decoder("max_position", model.positions);
  decoder("vocab_size", model.vocabulary);
  keys.SetText("stt.canary.decoder.activation", "relu");
  keys.SetBool("stt.canary.decoder.pre_ln", true);
  keys.SetBool("stt.canary.decoder.learn_positional_encodings", false);
  keys.SetBool("stt.canary.decoder.encoder_decoder_proj", model.width != kDecoderWidth);
}

void SetFrontend(GgufKeys& keys) {
  keys.SetText("stt.frontend.type", "mel");
  keys.SetUnsigned("stt.frontend.num_mels", kMels);
  keys.SetUnsigned("stt.frontend.sample_rate", 16000);
  keys.SetUnsigned("stt.frontend.n_fft", 512);
  keys.SetUnsigned("stt.frontend.win_length", 400);
  keys.SetUnsigned("stt.frontend.hop_length", 160);
  keys.SetText("stt.frontend.window", "hann");
  keys.SetText("stt.frontend.normalize", "per_feature");
  keys.SetFloat("stt.frontend.dither", 0);
  keys.SetFloat("stt.frontend.pre_emphasis", 0.97F);
  keys.SetFloat("stt.frontend.f_min", 0);
  keys.SetFloat("stt.frontend.f_max", 8000);
  keys.SetText("stt.frontend.pad_mode", "constant");
}

void AddSubsampling(SkeletonParts& parts, std::int64_t width) {
  for (const int i : {0, 2, 3, 5, 6}) {
    const std::string conv = fmt::format("enc.pre_encode.conv.{}", i);
    if (i == 3 || i == 6)
      parts.Tensor(conv + ".weight", {1, 1, kChannels, kChannels});
    else
      parts.Tensor(conv + ".weight", {3, 3, 1, kChannels});
    parts.Tensor(conv + ".bias", {kChannels});
  }
  parts.Linear("enc.pre_encode.out", kChannels * (kMels / kSubsampling), width);
}

void AddEncoderBlock(SkeletonParts& parts, const std::string& block, std::int64_t width) {
  for (const char* norm : {"norm_ff1", "norm_attn", "norm_conv", "norm_ff2", "norm_out"})
    parts.Norm(fmt::format("{}.{}", block, norm), width);
  for (const char* half : {"ff1", "ff2"}) {
    parts.Linear(fmt::format("{}.{}.linear1", block, half), width, 4 * width);
    parts.Linear(fmt::format("{}.{}.linear2", block, half), 4 * width, width);
  }
  for (const char* part : {"q", "k", "v", "out"})
    parts.Linear(fmt::format("{}.attn.linear_{}", block, part), width, width);
  parts.Tensor(block + ".attn.linear_pos.weight", {width, width});
  parts.Tensor(block + ".attn.pos_bias_u", {width / kHeads, kHeads});
  parts.Tensor(block + ".attn.pos_bias_v", {width / kHeads, kHeads});
  parts.Tensor(block + ".conv.pointwise1.weight", {1, width, 2 * width});
  parts.Tensor(block + ".conv.pointwise1.bias", {2 * width});
  parts.Tensor(block + ".conv.depthwise.weight", {kKernel, 1, width});
  parts.Tensor(block + ".conv.depthwise.bias", {width});
  parts.Tensor(block + ".conv.pointwise2.weight", {1, width, width});
  parts.Tensor(block + ".conv.pointwise2.bias", {width});
  parts.Norm(block + ".conv.bn", width);
  parts.Tensor(block + ".conv.bn.running_mean", {width});
  parts.Tensor(block + ".conv.bn.running_var", {width});
}

void AddDecoder(SkeletonParts& parts, const Dimensions& model) {
  constexpr std::int64_t kWidth = kDecoderWidth;
  parts.Tensor("dec.embed.token.weight", {kWidth, model.vocabulary});
  parts.Tensor("dec.embed.pos_enc", {kWidth, model.positions});
  parts.Norm("dec.embed.norm", kWidth);
  for (std::int64_t i = 0; i < model.decoder_layers; ++i) {
    const std::string layer = fmt::format("dec.layer.{}", i);
    for (const char* norm : {"norm1", "norm2", "norm3"})
      parts.Norm(fmt::format("{}.{}", layer, norm), kWidth);
    for (const char* attention : {"self_attn", "cross_attn"})
      for (const char* part : {"q", "k", "v", "o"})
        parts.Linear(fmt::format("{}.{}.{}", layer, attention, part), kWidth, kWidth);
    parts.Linear(layer + ".ffn.up", kWidth, kDecoderInner);
    parts.Linear(layer + ".ffn.down", kDecoderInner, kWidth);
  }
  parts.Norm("dec.norm", kWidth);
  parts.Linear("dec.head", kWidth, model.vocabulary);
}

}  // namespace

bool AddCanary(std::string_view model, SkeletonParts& parts) {
  for (const Dimensions& dimensions : kModels) {
    if (dimensions.model != model) continue;
    SetKeys(parts, dimensions);
    SetFrontend(parts.keys);
    SetVocabulary(parts, dimensions);
    AddSubsampling(parts, dimensions.width);
    for (std::int64_t i = 0; i < dimensions.encoder_layers; ++i)
      AddEncoderBlock(parts, fmt::format("enc.blocks.{}", i), dimensions.width);
    if (dimensions.width != kDecoderWidth)
      parts.Linear("enc.proj", dimensions.width, kDecoderWidth);
    AddDecoder(parts, dimensions);
    return true;
  }
  return false;
}

}  // namespace headroom::models
