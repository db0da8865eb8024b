#include <fmt/format.h>

#include <algorithm>

#include "models/formats/skeleton_conformer.h"
#include "models/formats/skeleton_parts.h"

namespace headroom::models {
namespace {

// From the engine's canary documentation; what it does not say (vocabularies, positions) is fixed
// by the published sizes. Decoders are 1024
// wide with feed-forward layers of 4096 and 8 heads.
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
constexpr std::int64_t kHeads = 8, kMels = 128;
constexpr std::int64_t kDecoderWidth = 1024, kDecoderInner = 4096;

const std::vector<std::string>& LanguagesOf(const Dimensions& model) {
  static const std::vector<std::string> four = {"en", "de", "es", "fr"};
  return model.model == "canary-1b-v2" ? European25() : four;
}

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
    // The older prompt names its task; the newer one derives it from the languages.
    if ((special == "transcribe" || special == "translate") && model.prompt == "canary2") continue;
    keys.SetUnsigned(fmt::format("stt.canary.special.{}_id", special),
                     static_cast<std::uint32_t>(tokens.size()));
    tokens.push_back(fmt::format("<|{}|>", special));
  }
  for (const std::string& language : LanguagesOf(model)) {
    keys.SetUnsigned(fmt::format("stt.canary.special.lang.{}_id", language),
                     static_cast<std::uint32_t>(tokens.size()));
    tokens.push_back(fmt::format("<|{}|>", language));
  }
  // The prompts ask for these two by their text.
  tokens.insert(tokens.end(), {"<|emo:undefined|>", "\u2581"});
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
  keys.SetTexts("general.languages", LanguagesOf(model));
  keys.SetBool("stt.capability.translate", true);
  keys.SetTexts("stt.translation.target_languages", LanguagesOf(model));
  std::vector<std::string> pairs;  // to and from English
  for (const std::string& language : LanguagesOf(model)) {
    if (language == "en") continue;
    pairs.push_back("en>" + language);
    pairs.push_back(language + ">en");
  }
  keys.SetTexts("stt.translation.pairs", pairs);
  SetConformerKeys("stt.canary.encoder.",
                   {.layers = model.encoder_layers, .width = model.width, .mels = kMels}, keys);
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

bool IsCanary(std::string_view model) {
  return std::ranges::find(kModels, model, &Dimensions::model) != std::end(kModels);
}

bool AddCanary(std::string_view model, SkeletonParts& parts) {
  for (const Dimensions& dimensions : kModels) {
    if (dimensions.model != model) continue;
    SetKeys(parts, dimensions);
    SetConformerFrontend(kMels, "per_feature", parts.keys);
    SetVocabulary(parts, dimensions);
    AddConformer({.layers = dimensions.encoder_layers, .width = dimensions.width, .mels = kMels},
                 parts);
    if (dimensions.width != kDecoderWidth)
      parts.Linear("enc.proj", dimensions.width, kDecoderWidth);
    AddDecoder(parts, dimensions);
    return true;
  }
  return false;
}

}  // namespace headroom::models
