#include <fmt/format.h>

#include <algorithm>

#include "models/formats/skeleton_conformer.h"
#include "models/formats/skeleton_parts.h"

namespace headroom::models {
namespace {

// From the engine's parakeet documentation; what it does not say is fixed by the published sizes.
// The predictor and the joint network are 640 wide.
struct Dimensions {
  std::string_view model;
  Conformer encoder;
  std::int64_t vocabulary;
  std::int64_t predictor_layers;
  bool durations;  // a token-and-duration transducer (TDT): five outputs more
};
constexpr Dimensions kModels[] = {
    {"parakeet-tdt-0.6b-v2", {24, 1024, 128, false, false}, 1024, 2, true},
    {"parakeet-tdt-0.6b-v3", {24, 1024, 128, false, false}, 8192, 2, true},
    {"parakeet-tdt_ctc-110m", {17, 512, 80, true, false}, 1024, 1, true},
};
constexpr std::int64_t kHidden = 640, kDurations = 5;

void SetKeys(SkeletonParts& parts, const Dimensions& model) {
  GgufKeys& keys = parts.keys;
  keys.SetText("general.architecture", "parakeet");
  keys.SetText("general.type", "model");
  keys.SetUnsigned("general.file_type", parts.file_type);
  keys.SetText("stt.variant", model.model);
  keys.SetTexts("general.languages",
                model.model.ends_with("-v3") ? European25() : std::vector<std::string>{"en"});
  SetConformerKeys("stt.parakeet.encoder.", model.encoder, keys);
  SetConformerFrontend(model.encoder.mels, "per_feature", keys);
  keys.SetText("stt.parakeet.head_kind", model.durations ? "tdt" : "rnnt");
  keys.SetUnsigned("stt.parakeet.predictor.hidden", kHidden);
  keys.SetUnsigned("stt.parakeet.predictor.n_layers",
                   static_cast<std::uint32_t>(model.predictor_layers));
  keys.SetUnsigned("stt.parakeet.predictor.vocab",
                   static_cast<std::uint32_t>(model.vocabulary + 1));
  keys.SetUnsigned("stt.parakeet.joint.hidden", kHidden);
  keys.SetUnsigned("stt.parakeet.joint.num_extra_outputs", model.durations ? kDurations : 0);
  keys.SetText("stt.parakeet.joint.activation", "relu");
  // The longest first: a counting simulated card's zeros choose the first, and few steps are as
  // good as many.
  if (model.durations) keys.SetIntegers("stt.parakeet.tdt.durations", {4, 3, 2, 1, 0});
  std::vector<std::string> tokens{"<unk>"};
  while (std::ssize(tokens) < model.vocabulary) tokens.push_back(fmt::format("w{}", tokens.size()));
  keys.SetText("tokenizer.ggml.model", "unigram");
  keys.SetUnsigned("tokenizer.ggml.unknown_token_id", 0);
  keys.SetTexts("tokenizer.ggml.tokens", tokens);
}

}  // namespace

bool IsParakeet(std::string_view model) {
  return std::ranges::find(kModels, model, &Dimensions::model) != std::end(kModels);
}

bool AddParakeet(std::string_view model, SkeletonParts& parts) {
  for (const Dimensions& dimensions : kModels) {
    if (dimensions.model != model) continue;
    SetKeys(parts, dimensions);
    AddConformer(dimensions.encoder, parts);
    const std::int64_t outputs = dimensions.vocabulary + 1;  // and the blank
    parts.Tensor("pred.embed.weight", {kHidden, outputs});
    for (std::int64_t i = 0; i < dimensions.predictor_layers; ++i) {
      const std::string lstm = fmt::format("pred.lstm.{}", i);
      parts.Tensor(lstm + ".Wx", {kHidden, 4 * kHidden});
      parts.Tensor(lstm + ".Wh", {kHidden, 4 * kHidden});
      parts.Tensor(lstm + ".bias", {4 * kHidden});
    }
    parts.Linear("joint.enc", dimensions.encoder.width, kHidden);
    parts.Linear("joint.pred", kHidden, kHidden);
    parts.Linear("joint.out", kHidden, outputs + (dimensions.durations ? kDurations : 0));
    return true;
  }
  return false;
}

}  // namespace headroom::models
