#include "speech/text/vocabulary.h"

#include <gtest/gtest.h>

#include <string>

#include "speech/text/phonetic.h"
#include "speech/text/words.h"

namespace headroom::speech {
namespace {

TEST(Phonetic, Metaphone) {
  const std::pair<const char*, const char*> cases[] = {
      {"Knight", "NT"},   {"night", "NT"},       {"write", "RT"},       {"right", "RT"},
      {"Philip", "FLP"},  {"Katherine", "K0RN"}, {"Catherine", "K0RN"}, {"Smith", "SM0"},
      {"thumb", "0M"},    {"edge", "EJ"},        {"nation", "NXN"},     {"school", "SKL"},
      {"which", "WX"},    {"Xavier", "SFR"},     {"box", "BKS"},        {"queen", "KN"},
      {"science", "SNS"}, {"gnome", "NM"},       {"sign", "SN"},        {"city", "ST"},
      {"cough", "KK"},    {"hello", "HL"},       {"back", "BK"},        {"match", "MX"},
      {"", ""},           {"世界", ""},          {"Éclair", "EKLR"},
  };
  for (const auto& [word, code] : cases) EXPECT_EQ(Metaphone(word), code) << word;
}

TEST(Phonetic, KoelnerPhonetik) {
  const std::pair<const char*, const char*> cases[] = {
      {"Wikipedia", "3412"},
      {"Breschnew", "17863"},
      {"Müller-Lüdenscheidt", "65752682"},
      {"Meier", "67"},
      {"Mayr", "67"},
      {"Heinz Classen", "068586"},
      {"Phonetik", "3624"},
      {"Xaver", "4837"},
      {"Axel", "0485"},
      {"Chlor", "457"},
      {"Cäsar", "487"},
      {"Quark", "474"},
      {"Schmidt", "862"},
      {"", ""},
  };
  for (const auto& [word, code] : cases) EXPECT_EQ(KoelnerPhonetik(word), code) << word;
}

std::string Found(const Vocabulary& vocabulary, std::string_view text) {
  std::vector<std::string> words;
  for (const Token& token : Tokenise(text)) words.push_back(token.folded);
  const auto match = vocabulary.Find(words);
  return match ? std::to_string(match->words) + ":" + std::string(match->text) : "";
}

TEST(Vocabulary, FindsWhatSoundsTheSame) {
  const Vocabulary english({"Kubernetes", "Siobhan", "Postgres", "Nguyen", "Headroom",
                            "San Francisco", "Wayland", "", "!"},
                           "en");
  const std::pair<const char*, const char*> cases[] = {
      {"kubernetes is", "1:Kubernetes"},   {"cooper netties is", "2:Kubernetes"},
      {"kubernetis", "1:Kubernetes"},      {"post gress", "2:Postgres"},
      {"post gres", "2:Postgres"},         {"head room", "2:Headroom"},
      {"sanfrancisco", "1:San Francisco"}, {"san francisko bay", "2:San Francisco"},
      {"way land", "2:Wayland"},           {"hedroom", "1:Headroom"},
  };
  for (const auto& [heard, found] : cases) EXPECT_EQ(Found(english, heard), found) << heard;

  const Vocabulary german({"Köhler", "Wolfenbüttel", "Kubernetes"}, "de");
  EXPECT_EQ(Found(german, "wolfen büttel"), "2:Wolfenbüttel");
  EXPECT_EQ(Found(german, "wolfenbüttl"), "1:Wolfenbüttel");
  EXPECT_EQ(Found(german, "köhler"), "1:Köhler");
}

TEST(Vocabulary, LeavesOrdinaryWordsAlone) {
  const Vocabulary vocabulary({"Claude", "Go", "Rust", "Kafka", "Ann", "Qt", "Meier", "Redis"},
                              "en");
  for (const char* heard : {"the",     "cloud",  "clod",     "gone",   "rest", "roast", "coffee",
                            "and",     "an",     "any",      "cat",    "cut",  "mire",  "more",
                            "readies", "radius", "ready is", "coughs", "to",   "",      "i an"})
    EXPECT_EQ(Found(vocabulary, heard), "") << heard;
}

TEST(Vocabulary, TheExactOneComesFirst) {
  const Vocabulary vocabulary({"Katherine", "Catherine", "Catherine Wheel"}, "en");
  EXPECT_EQ(Found(vocabulary, "catherine said"), "1:Catherine");
  EXPECT_EQ(Found(vocabulary, "katherine said"), "1:Katherine");
  EXPECT_EQ(Found(vocabulary, "catherine wheel"), "2:Catherine Wheel");
}

}  // namespace
}  // namespace headroom::speech
