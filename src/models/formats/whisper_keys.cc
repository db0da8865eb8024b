#include "models/formats/whisper_keys.h"

#include <fmt/format.h>

#include "models/formats/import_mel.h"

namespace headroom::models {
namespace {

constexpr std::int32_t kControl = 3;  // token types, as llama.cpp numbers them
constexpr std::int32_t kNormal = 1;

std::string Variant(const WhisperShape& shape, bool multilingual) {
  std::string name = "whisper";
  switch (shape.encoder_layers) {
    case 4:
      name += "-tiny";
      break;
    case 6:
      name += "-base";
      break;
    case 12:
      name += "-small";
      break;
    case 24:
      name += "-medium";
      break;
    case 32:
      name += shape.mels == 128 ? "-large-v3" : "-large";
      if (shape.decoder_layers == 4) name += "-turbo";
      break;
    default:
      break;
  }
  return multilingual ? name : name + ".en";
}

void SetArchitecture(GgufKeys& keys, const WhisperShape& shape) {
  for (const bool encoder : {true, false}) {
    const std::string at = encoder ? "stt.whisper.encoder." : "stt.whisper.decoder.";
    const auto set = [&](const char* key, std::int64_t value) {
      keys.SetUnsigned(at + key, static_cast<std::uint32_t>(value));
    };
    set("n_layers", encoder ? shape.encoder_layers : shape.decoder_layers);
    set("d_model", shape.width);
    set("n_heads", encoder ? shape.encoder_heads : shape.decoder_heads);
    set("ffn_dim", encoder ? shape.encoder_ffn : shape.decoder_ffn);
    if (encoder) {
      set("num_mel_bins", shape.mels);
      set("max_source_positions", shape.audio_positions);
    } else {
      set("max_target_positions", shape.text_positions);
      set("vocab_size", shape.vocabulary);
      keys.SetBool(at + "tie_word_embeddings", true);
      keys.SetBool(at + "scale_embedding", false);
    }
    keys.SetText(at + "activation", "gelu");
  }
}

void SetFrontend(GgufKeys& keys, std::int64_t mels) {
  keys.SetText("stt.frontend.type", "mel");
  keys.SetUnsigned("stt.frontend.num_mels", static_cast<std::uint32_t>(mels));
  keys.SetUnsigned("stt.frontend.sample_rate", 16000);
  keys.SetUnsigned("stt.frontend.n_fft", kWhisperFft);
  keys.SetUnsigned("stt.frontend.win_length", kWhisperFft);
  keys.SetUnsigned("stt.frontend.hop_length", 160);
  keys.SetText("stt.frontend.window", "hann_periodic");
  keys.SetText("stt.frontend.normalize", "whisper_logmel");
  keys.SetFloat("stt.frontend.dither", 0);
  keys.SetFloat("stt.frontend.pre_emphasis", 0);
  keys.SetFloat("stt.frontend.f_min", 0);
  keys.SetFloat("stt.frontend.f_max", 8000);
  keys.SetText("stt.frontend.pad_mode", "reflect");
  keys.SetBool("stt.frontend.center", true);
  keys.SetText("stt.frontend.mel_norm", "slaney");
  keys.SetUnsigned("stt.frontend.chunk_length", 30);
  keys.SetUnsigned("stt.frontend.n_samples", 480000);
  keys.SetUnsigned("stt.frontend.nb_max_frames", 3000);
}

void SetSpecialTokens(GgufKeys& keys, const WhisperVocabulary& vocabulary,
                      const Ct2Config& config) {
  const auto set = [&](const char* key, std::int32_t id) {
    keys.SetUnsigned(fmt::format("stt.whisper.{}_token_id", key), static_cast<std::uint32_t>(id));
  };
  set("decoder_start", vocabulary.start);
  set("sot", vocabulary.start);
  set("no_timestamps", vocabulary.no_timestamps);
  set("prev_sot", vocabulary.previous);
  if (vocabulary.multilingual()) {
    set("transcribe", vocabulary.transcribe);
    set("translate", vocabulary.translate);
  }
  keys.SetIntegers("stt.whisper.suppress_tokens", config.suppressed);
  keys.SetIntegers("stt.whisper.begin_suppress_tokens", config.suppressed_first);
}

// Last in the file, so that everything small can be read without them.
void SetVocabulary(GgufKeys& keys, const WhisperVocabulary& vocabulary) {
  keys.SetText("tokenizer.ggml.model", "gpt2");
  keys.SetText("tokenizer.ggml.pre", "gpt2");
  keys.SetUnsigned("tokenizer.ggml.bos_token_id",
                   static_cast<std::uint32_t>(vocabulary.end_of_text));
  keys.SetUnsigned("tokenizer.ggml.eos_token_id",
                   static_cast<std::uint32_t>(vocabulary.end_of_text));
  keys.SetTexts("tokenizer.ggml.tokens", vocabulary.tokens);
  std::vector<std::int32_t> types(vocabulary.tokens.size(), kNormal);
  for (auto id = static_cast<std::size_t>(vocabulary.end_of_text); id < types.size(); ++id)
    types[id] = kControl;
  keys.SetIntegers("tokenizer.ggml.token_type", types);
  keys.SetTexts("tokenizer.ggml.merges", vocabulary.merges);
}

}  // namespace

void SetWhisperKeys(GgufKeys& keys, const WhisperShape& shape, const WhisperVocabulary& vocabulary,
                    const Ct2Config& config, std::uint32_t file_type) {
  const std::string variant = Variant(shape, vocabulary.multilingual());
  // The turbo models were not trained to translate.
  const bool translates = vocabulary.multilingual() && !variant.ends_with("-turbo");
  keys.SetText("general.architecture", "whisper");
  keys.SetText("general.type", "model");
  keys.SetText("general.name", variant);
  keys.SetUnsigned("general.file_type", file_type);
  keys.SetTexts("general.languages", vocabulary.languages);
  keys.SetText("stt.variant", variant);
  keys.SetBool("stt.capability.lang_detect", vocabulary.multilingual());
  keys.SetBool("stt.capability.translate", translates);
  keys.SetBool("stt.capability.timestamps", true);
  SetArchitecture(keys, shape);
  SetFrontend(keys, shape.mels);
  SetSpecialTokens(keys, vocabulary, config);
  SetVocabulary(keys, vocabulary);
}

}  // namespace headroom::models
