#include "models/formats/tokenizer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/formats/tokenizer_merges.h"
#include "models/testing/import_fixtures.h"

namespace headroom::models {
namespace {

using nlohmann::json;

json TokenizerJson(std::int64_t size) {
  json root;
  json vocab = json::object();
  std::int64_t id = 0;
  for (const std::string& token : PlainTokens(size)) vocab[token] = id++;
  root["model"] = {{"vocab", vocab}, {"merges", json::array({"t 1", "t1 0"})}};
  root["added_tokens"] = json::array();
  root["added_tokens"].push_back({{"id", id}, {"content", "<|endoftext|>"}});
  return root;
}

TEST(Vocabulary, FillsInTheSpecialTokensOfEverySize) {
  for (const std::int64_t size : {51864, 51865, 51866}) {
    const auto vocabulary = MakeVocabulary(PlainTokens(size), size);
    ASSERT_TRUE(vocabulary) << vocabulary.error().what;
    EXPECT_EQ(vocabulary->tokens.size(), static_cast<std::size_t>(size));
    EXPECT_EQ(vocabulary->multilingual(), size != 51864);
    EXPECT_EQ(vocabulary->languages.size(), size == 51864 ? 1U : size == 51865 ? 99U : 100U);
    EXPECT_EQ(vocabulary->languages.front(), "en");
    EXPECT_EQ(vocabulary->end_of_text, size == 51864 ? 50256 : 50257);
    EXPECT_EQ(vocabulary->start, vocabulary->end_of_text + 1);
    EXPECT_EQ(vocabulary->no_timestamps, size == 51864 ? 50362 : size == 51865 ? 50363 : 50364);
    EXPECT_EQ(vocabulary->tokens.back(), "<|30.00|>");
    EXPECT_EQ(vocabulary->tokens[static_cast<std::size_t>(vocabulary->no_timestamps) + 1],
              "<|0.00|>");
    EXPECT_EQ(vocabulary->tokens[static_cast<std::size_t>(vocabulary->no_timestamps) + 1 + 51],
              "<|1.02|>");
  }
}

TEST(Vocabulary, RefusesOtherSizes) {
  EXPECT_EQ(MakeVocabulary({"a"}, 10).error().code, Errc::kUnsupported);
  EXPECT_EQ(MakeVocabulary({"a"}, 1 << 30).error().code, Errc::kUnsupported);
  EXPECT_EQ(MakeVocabulary(std::vector<std::string>(51865), 51864).error().code, Errc::kCorrupt);
  EXPECT_EQ(MakeVocabulary({"a"}, 51864).error().what, "the vocabulary has no token 1");
}

TEST(TokenizerJson, IsRead) {
  json root = TokenizerJson(51865);
  const auto vocabulary = ParseTokenizerJson(root.dump(), 51865);
  ASSERT_TRUE(vocabulary) << vocabulary.error().what;
  EXPECT_EQ(vocabulary->tokens[5], "t5");
  EXPECT_EQ(vocabulary->merges, (std::vector<std::string>{"t 1", "t1 0"}));
  root["model"]["merges"] = json::array({json::array({"t", "1"})});
  EXPECT_EQ(ParseTokenizerJson(root.dump(), 51865)->merges, (std::vector<std::string>{"t 1"}));
}

TEST(TokenizerJson, RefusesWhatMakesNoSense) {
  const auto code = [](auto change) {
    json root = TokenizerJson(51864);
    change(root);
    const auto read = ParseTokenizerJson(root.dump(), 51864);
    return read ? Errc::kInternal : read.error().code;
  };
  EXPECT_EQ(code([](json& j) { j = json::array(); }), Errc::kCorrupt);
  EXPECT_EQ(code([](json& j) { j["model"] = 3; }), Errc::kCorrupt);
  EXPECT_EQ(code([](json& j) { j["model"]["vocab"].erase("t7"); }), Errc::kCorrupt);
  EXPECT_EQ(code([](json& j) { j["model"]["vocab"]["t7"] = 8; }), Errc::kCorrupt);
  EXPECT_EQ(code([](json& j) { j["model"]["vocab"]["t7"] = -8; }), Errc::kCorrupt);
  EXPECT_EQ(code([](json& j) { j["model"]["vocab"]["t7"] = 1e30; }), Errc::kCorrupt);
  EXPECT_EQ(code([](json& j) { j["model"]["vocab"]["much"] = 51864; }), Errc::kCorrupt);
  EXPECT_EQ(code([](json& j) { j["model"]["merges"] = {"nospace"}; }), Errc::kCorrupt);
  EXPECT_EQ(code([](json& j) { j["model"]["merges"] = {{1, 2}}; }), Errc::kCorrupt);
  EXPECT_EQ(code([](json& j) { j["model"]["merges"] = 5; }), Errc::kCorrupt);
  EXPECT_EQ(code([](json& j) { j["added_tokens"] = {"text"}; }), Errc::kCorrupt);
  EXPECT_EQ(code([](json& j) { j["added_tokens"][0]["content"] = "<|other|>"; }), Errc::kCorrupt);
  EXPECT_EQ(ParseTokenizerJson("{\"model\":", 51864).error().code, Errc::kCorrupt);
}

TEST(Merges, AreRecoveredFromTheOrderOfTokens) {
  const std::vector<std::string> tokens{"a", "b", "c", "Ġ", "ab", "Ġc", "abc", "Ġcab", "x?"};
  EXPECT_EQ(RecoverMerges(tokens),
            (std::vector<std::string>{"a b", "Ġ c", "ab c", "Ġc ab", "x ?"}));
}

}  // namespace
}  // namespace headroom::models
