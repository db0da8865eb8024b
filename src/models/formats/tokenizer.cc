#include "models/formats/tokenizer.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/check.h"
#include "base/file.h"
#include "base/text.h"
#include "models/formats/tokenizer_merges.h"

namespace headroom::models {
namespace {

using nlohmann::json;

constexpr Bytes kLongestFile = MiB(64);
constexpr std::size_t kLongestToken = 1024;
constexpr std::int64_t kEnglishSize = 51864;
constexpr std::int64_t kTimestamps = 1501;  // 0.00 to 30.00 in steps of 0.02

// What the tokens after the text tokens are called, for a vocabulary of `size` tokens.
std::vector<std::string> SpecialTokens(std::int64_t size) {
  std::vector<std::string> names{"<|endoftext|>", "<|startoftranscript|>"};
  const std::size_t languages = size == 51866 ? 100 : 99;
  for (std::size_t i = 0; i < languages; ++i)
    names.push_back(fmt::format("<|{}|>", WhisperLanguages()[i]));
  for (const char* name : {"<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>",
                           "<|nospeech|>", "<|notimestamps|>"})
    names.emplace_back(name);
  for (std::int64_t i = 0; i < kTimestamps; ++i)
    names.push_back(fmt::format("<|{}.{:02}|>", i / 50, i % 50 * 2));
  return names;
}

Result<> Find(const std::unordered_map<std::string_view, std::int32_t>& ids, std::string_view name,
              std::int32_t& id) {
  const auto it = ids.find(name);
  if (it == ids.end()) return Fail(Errc::kCorrupt, "the vocabulary has no {} token", name);
  id = it->second;
  return {};
}

// Fills gaps and finds the special tokens. `present[i]` says whether tokens[i] is known.
Result<WhisperVocabulary> Complete(std::vector<std::string> tokens, std::vector<bool> present,
                                   std::int64_t size) {
  const std::vector<std::string> specials = SpecialTokens(size);
  const auto first = static_cast<std::size_t>(size) - specials.size();
  WhisperVocabulary vocabulary;
  std::unordered_map<std::string_view, std::int32_t> ids;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (present[id]) {
      if (tokens[id].size() > kLongestToken)
        return Fail(Errc::kCorrupt, "token {} is {} bytes long", id, tokens[id].size());
    } else if (id < first) {
      return Fail(Errc::kCorrupt, "the vocabulary has no token {}", id);
    } else {
      tokens[id] = specials[id - first];
    }
  }
  for (std::size_t id = first; id < tokens.size(); ++id)
    ids.emplace(tokens[id], static_cast<std::int32_t>(id));
  TRY(Find(ids, "<|endoftext|>", vocabulary.end_of_text));
  TRY(Find(ids, "<|startoftranscript|>", vocabulary.start));
  TRY(Find(ids, "<|translate|>", vocabulary.translate));
  TRY(Find(ids, "<|transcribe|>", vocabulary.transcribe));
  TRY(Find(ids, "<|startofprev|>", vocabulary.previous));
  TRY(Find(ids, "<|notimestamps|>", vocabulary.no_timestamps));
  const std::int64_t languages = vocabulary.translate - vocabulary.start - 1;
  if (languages != static_cast<std::int64_t>(specials.size()) - kTimestamps - 8)
    return Fail(Errc::kCorrupt, "the vocabulary has its special tokens in an unknown order");
  for (auto id = static_cast<std::size_t>(vocabulary.start) + 1;
       id < static_cast<std::size_t>(vocabulary.translate); ++id) {
    const std::string& token = tokens[id];
    if (token.size() < 6 || token.size() > 12 || !token.starts_with("<|") || !token.ends_with("|>"))
      return Fail(Errc::kCorrupt, "token {} is \"{}\", not a language", id, Printable(token));
    vocabulary.languages.push_back(token.substr(2, token.size() - 4));
  }
  vocabulary.tokens = std::move(tokens);
  if (!vocabulary.multilingual()) vocabulary.languages = {"en"};
  return vocabulary;
}

Result<> CheckSize(std::int64_t size) {
  if (size < kEnglishSize || size > 51866)
    return Fail(Errc::kUnsupported,
                "a vocabulary of {} tokens; Whisper's have 51864, 51865 or 51866", size);
  return {};
}

// "left right", or since tokenizers 0.20 ["left", "right"].
Result<std::string> Merge(const json& merge) {
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    if (text.size() >= 3 && text.find(' ', 1) != std::string::npos) return text;
  } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
             merge[1].is_string()) {
    return merge[0].get_ref<const std::string&>() + " " + merge[1].get_ref<const std::string&>();
  }
  return Fail(Errc::kCorrupt, "a merge that is not a pair of tokens");
}

}  // namespace

WhisperVocabulary MakePlaceholderVocabulary(std::int64_t size) {
  constexpr std::size_t kBytes = 256;  // tokens of one byte, which no merge makes
  std::vector<std::string> tokens(static_cast<std::size_t>(size));
  std::vector<bool> present(tokens.size());
  const std::size_t texts = tokens.size() - SpecialTokens(size).size();
  std::vector<std::string> merges;
  for (std::size_t id = 0; id < texts; ++id) {
    const std::string number = std::to_string(id);  // a hundred thousand of them: fmt is slower
    tokens[id] = "w" + number;
    present[id] = true;
    if (id >= kBytes) merges.push_back("w " + number);
  }
  auto vocabulary = Complete(std::move(tokens), std::move(present), size);
  CHECK(vocabulary.has_value());
  vocabulary->merges = std::move(merges);
  return std::move(*vocabulary);
}

Result<WhisperVocabulary> ParseTokenizerJson(std::string_view text, std::int64_t size) {
  TRY(CheckSize(size));
  const json root = json::parse(text, nullptr, false);
  if (root.is_discarded() || !root.is_object()) return Fail(Errc::kCorrupt, "not JSON");
  const json model = root.value("model", json());
  if (!model.is_object() || !model.contains("vocab") || !model["vocab"].is_object())
    return Fail(Errc::kCorrupt, "no vocabulary in it");
  std::vector<std::string> tokens(static_cast<std::size_t>(size));
  std::vector<bool> present(tokens.size());
  const auto put = [&](const std::string& token, const json& id) -> Result<> {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= tokens.size())
      return Fail(Errc::kCorrupt, "token \"{}\" has no id below {}", Printable(token), size);
    const auto index = id.get<std::size_t>();
    if (present[index] && tokens[index] != token)
      return Fail(Errc::kCorrupt, "token {} is there twice", index);
    tokens[index] = token;
    present[index] = true;
    return {};
  };
  for (const auto& [token, id] : model["vocab"].items()) TRY(put(token, id));
  for (const json& added : root.value("added_tokens", json::array())) {
    if (!added.is_object() || !added.contains("content") || !added["content"].is_string() ||
        !added.contains("id"))
      return Fail(Errc::kCorrupt, "an added token without a text and an id");
    TRY(put(added["content"].get_ref<const std::string&>(), added["id"]));
  }
  TRY_ASSIGN(WhisperVocabulary vocabulary, Complete(std::move(tokens), std::move(present), size));
  const json merges = model.value("merges", json::array());
  if (!merges.is_array() || merges.size() > vocabulary.tokens.size())
    return Fail(Errc::kCorrupt, "no list of merges");
  for (const json& merge : merges) {
    TRY_ASSIGN(std::string pair, Merge(merge));
    vocabulary.merges.push_back(std::move(pair));
  }
  return vocabulary;
}

Result<WhisperVocabulary> MakeVocabulary(std::vector<std::string> tokens, std::int64_t size) {
  TRY(CheckSize(size));
  if (tokens.size() > static_cast<std::size_t>(size))
    return Fail(Errc::kCorrupt, "{} tokens for a model with {}", tokens.size(), size);
  std::vector<bool> present(tokens.size(), true);
  present.resize(static_cast<std::size_t>(size));
  tokens.resize(static_cast<std::size_t>(size));
  TRY_ASSIGN(WhisperVocabulary vocabulary, Complete(std::move(tokens), std::move(present), size));
  vocabulary.merges = RecoverMerges(
      std::span(vocabulary.tokens).first(static_cast<std::size_t>(vocabulary.end_of_text)));
  return vocabulary;
}

Result<WhisperVocabulary> ReadVocabulary(const std::filesystem::path& folder, std::int64_t size) {
  std::error_code ignored;
  const auto there = [&](const char* name) {
    return std::filesystem::exists(folder / name, ignored);
  };
  if (there("tokenizer.json")) {
    TRY_ASSIGN(const std::string text, ReadFile(folder / "tokenizer.json", kLongestFile));
    auto vocabulary = ParseTokenizerJson(text, size);
    if (!vocabulary) return Within(vocabulary, "{}", (folder / "tokenizer.json").native());
    return vocabulary;
  }
  std::vector<std::string> tokens;
  std::filesystem::path file = folder / "vocabulary.json";
  if (there("vocabulary.json")) {
    TRY_ASSIGN(const std::string text, ReadFile(file, kLongestFile));
    const json list = json::parse(text, nullptr, false);
    if (!list.is_array()) return Fail(Errc::kCorrupt, "{}: not a list of tokens", file.native());
    for (const json& token : list) {
      if (!token.is_string())
        return Fail(Errc::kCorrupt, "{}: not a list of tokens", file.native());
      tokens.push_back(token.get<std::string>());
    }
  } else if (file = folder / "vocabulary.txt"; there("vocabulary.txt")) {
    TRY_ASSIGN(std::string text, ReadFile(file, kLongestFile));
    if (text.ends_with('\n')) text.pop_back();
    tokens = Split(text, '\n');
  } else {
    return Fail(Errc::kNotFound,
                "{}: no tokenizer.json, vocabulary.json or vocabulary.txt beside the model",
                folder.native());
  }
  auto vocabulary = MakeVocabulary(std::move(tokens), size);
  if (!vocabulary) return Within(vocabulary, "{}", file.native());
  return vocabulary;
}

const std::vector<std::string>& WhisperLanguages() {
  static const std::vector<std::string> languages = Split(
      "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no "
      "th ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw "
      "gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl "
      "mg as tt haw ln ha ba jw su yue",
      ' ');
  return languages;
}

}  // namespace headroom::models
