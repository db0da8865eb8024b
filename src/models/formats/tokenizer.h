// Whisper's vocabulary as GGUF wants it: every token in GPT-2's byte-level spelling, and the
// merges.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace headroom::models {

struct WhisperVocabulary {
  std::vector<std::string> tokens;     // by id
  std::vector<std::string> merges;     // "left right", most frequent first
  std::vector<std::string> languages;  // the codes in <|en|> … , in token order
  std::int32_t end_of_text = 0, start = 0, translate = 0, transcribe = 0;
  std::int32_t previous = 0, no_timestamps = 0;

  /// English-only models carry language tokens too, and never use them.
  bool multilingual() const { return tokens.size() >= 51865; }
};

/// From a Hugging Face tokenizer.json. Special tokens that the file leaves out (most leave out the
/// timestamps) are filled in. `size` is the number of rows of the token embedding.
Result<WhisperVocabulary> ParseTokenizerJson(std::string_view json, std::int64_t size);

/// From a plain list of tokens by id; the merges follow from the order of the tokens.
Result<WhisperVocabulary> MakeVocabulary(std::vector<std::string> tokens, std::int64_t size);

/// tokenizer.json in `folder`, else vocabulary.json, else vocabulary.txt (one token a line).
Result<WhisperVocabulary> ReadVocabulary(const std::filesystem::path& folder, std::int64_t size);

/// As many tokens, merges and special tokens as a model with `size` of them has; the text tokens
/// mean nothing. `size` is 51864, 51865 or 51866.
WhisperVocabulary MakePlaceholderVocabulary(std::int64_t size);

/// The languages of Whisper by language id: 99 of them, and "yue" since large-v3.
const std::vector<std::string>& WhisperLanguages();

}  // namespace headroom::models
