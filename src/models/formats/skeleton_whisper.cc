#include <fmt/format.h>

#include <algorithm>

#include "models/formats/import_mel.h"
#include "models/formats/skeleton_parts.h"
#include "models/formats/whisper_keys.h"

namespace headroom::models {
namespace {

// Layers, width, mel bands and vocabulary as OpenAI published them; heads are 64 wide, feed-forward
// layers four times the width, 1500 audio and 448 text positions in all of them.
struct Dimensions {
  std::string_view model;
  std::int64_t width, encoder_layers, decoder_layers, mels, vocabulary;
};
constexpr std::int64_t kEnglish = 51864, kMultilingual = 51865, kCantonese = 51866;
constexpr Dimensions kModels[] = {
    {"whisper-tiny", 384, 4, 4, 80, kMultilingual},
    {"whisper-tiny.en", 384, 4, 4, 80, kEnglish},
    {"whisper-base", 512, 6, 6, 80, kMultilingual},
    {"whisper-base.en", 512, 6, 6, 80, kEnglish},
    {"whisper-small", 768, 12, 12, 80, kMultilingual},
    {"whisper-small.en", 768, 12, 12, 80, kEnglish},
    {"whisper-medium", 1024, 24, 24, 80, kMultilingual},
    {"whisper-medium.en", 1024, 24, 24, 80, kEnglish},
    {"whisper-large", 1280, 32, 32, 80, kMultilingual},
    {"whisper-large-v2", 1280, 32, 32, 80, kMultilingual},
    {"whisper-large-v3", 1280, 32, 32, 128, kCantonese},
    {"whisper-large-v3-turbo", 1280, 32, 4, 128, kCantonese},
};

// The keys have no bias.
void AddAttention(SkeletonParts& parts, const std::string& norm, const std::string& name,
                  std::int64_t width) {
  parts.Norm(norm, width);
  parts.Linear(name + ".q", width, width);
  parts.Tensor(name + ".k.weight", {width, width});
  parts.Linear(name + ".v", width, width);
  parts.Linear(name + ".out", width, width);
}

void AddFeedForward(SkeletonParts& parts, const std::string& name, std::int64_t width) {
  parts.Norm(name + ".norm_ffn", width);
  parts.Linear(name + ".ffn.fc1", width, 4 * width);
  parts.Linear(name + ".ffn.fc2", 4 * width, width);
}

WhisperShape Shape(const Dimensions& model) {
  return {.width = model.width,
          .mels = model.mels,
          .audio_positions = 1500,
          .text_positions = 448,
          .vocabulary = model.vocabulary,
          .encoder_layers = model.encoder_layers,
          .encoder_heads = model.width / 64,
          .encoder_ffn = 4 * model.width,
          .decoder_layers = model.decoder_layers,
          .decoder_heads = model.width / 64,
          .decoder_ffn = 4 * model.width};
}

void AddTensors(const WhisperShape& shape, SkeletonParts& parts) {
  const std::int64_t width = shape.width;
  parts.Tensor("frontend.mel_filterbank", {kWhisperBins, shape.mels});
  parts.Tensor("frontend.window", {kWhisperFft});
  parts.Tensor("enc.conv.0.weight", {3, shape.mels, width});
  parts.Tensor("enc.conv.0.bias", {width});
  parts.Tensor("enc.conv.1.weight", {3, width, width});
  parts.Tensor("enc.conv.1.bias", {width});
  parts.Tensor("enc.pos_emb.weight", {width, shape.audio_positions});
  parts.Norm("enc.final_norm", width);
  parts.Tensor("dec.token_embd.weight", {width, shape.vocabulary});
  parts.Tensor("dec.pos_emb.weight", {width, shape.text_positions});
  parts.Norm("dec.final_norm", width);
  for (std::int64_t i = 0; i < shape.encoder_layers; ++i) {
    const std::string block = fmt::format("enc.blocks.{}", i);
    AddAttention(parts, block + ".norm_attn", block + ".attn", width);
    AddFeedForward(parts, block, width);
  }
  for (std::int64_t i = 0; i < shape.decoder_layers; ++i) {
    const std::string block = fmt::format("dec.blocks.{}", i);
    AddAttention(parts, block + ".norm_self", block + ".self_attn", width);
    AddAttention(parts, block + ".norm_cross", block + ".cross_attn", width);
    AddFeedForward(parts, block, width);
  }
}

}  // namespace

bool IsWhisper(std::string_view model) {
  return std::ranges::find(kModels, model, &Dimensions::model) != std::end(kModels);
}

bool AddWhisper(std::string_view model, SkeletonParts& parts) {
  for (const Dimensions& dimensions : kModels) {
    if (dimensions.model != model) continue;
    const WhisperShape shape = Shape(dimensions);
    SetWhisperKeys(parts.keys, shape, MakePlaceholderVocabulary(shape.vocabulary), {},
                   parts.file_type);
    AddTensors(shape, parts);
    return true;
  }
  return false;
}

}  // namespace headroom::models
