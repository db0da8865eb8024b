#include "speech/text/agreement.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "speech/text/words.h"

namespace headroom::speech {
namespace {

// "committed|tentative" after each hypothesis, then "=final" for the last.
std::vector<std::string> Follow(const std::vector<std::string>& hypotheses,
                                const std::string& final_text) {
  Agreement agreement;
  std::vector<std::string> shown;
  for (const std::string& hypothesis : hypotheses) {
    const Partial partial = agreement.Update(hypothesis);
    EXPECT_EQ(partial.text(), partial.committed + partial.tentative);
    shown.push_back(partial.committed + "|" + partial.tentative);
  }
  shown.push_back("=" + agreement.Final(final_text));
  return shown;
}

using Lines = std::vector<std::string>;

TEST(Agreement, Tables) {
  struct Case {
    const char* what;
    Lines hypotheses;
    const char* final_text;
    Lines expected;
  };
  const Case cases[] = {
      {"nothing", {}, "", {"="}},
      {"without partials", {}, "As it is.", {"=As it is."}},
      {"grows",
       {"ask", "ask not what", "ask not what your country"},
       "Ask not what your country can do.",
       {"|ask", "ask| not what", "ask not what| your country",
        "=ask not what your country can do."}},
      {"the end may change",
       {"I scream", "ice cream", "ice cream is"},
       "Ice cream is good.",
       {"|I scream", "|ice cream", "ice cream| is", "=ice cream is good."}},
      {"punctuation comes with the next word",
       {"the cat.", "the cat.", "the cat, sat", "the cat, sat down."},
       "The cat sat down.",
       {"|the cat.", "the cat|.", "the cat|, sat", "the cat, sat| down.", "=the cat, sat down."}},
      {"a sentence that goes on",
       {"Yes.", "Yes, please.", "Yes, please do"},
       "Yes, please do.",
       {"|Yes.", "Yes|, please.", "Yes, please| do", "=Yes, please do."}},
      {"a committed word is heard differently later",
       {"a b", "a b", "a x c"},
       "a x c d",
       {"|a b", "a b|", "a b| c", "=a b c d"}},
      {"a committed word is missing later",
       {"one two three", "one two three", "one three four"},
       "one three four",
       {"|one two three", "one two three|", "one two three| four", "=one two three four"}},
      {"a word appears among the committed",
       {"a b", "a b", "a x b c"},
       "a x b c",
       {"|a b", "a b|", "a b| c", "=a b c"}},
      {"the final text is shorter", {"a b c", "a b c"}, "a b.", {"|a b c", "a b c|", "=a b c."}},
      {"the final text was dropped", {"you", "you"}, "", {"|you", "you|", "=you"}},
      {"a repeated word",
       {"that that", "that that is", "that that is"},
       "That that is, is.",
       {"|that that", "that that| is", "that that is|", "=that that is, is."}},
      {"umlauts and case",
       {"schöne Grüße", "Schöne GRÜSSE an", "Schöne Grüße an alle"},
       "Schöne Grüße an alle",
       {"|schöne Grüße", "Schöne| GRÜSSE an", "Schöne| Grüße an alle", "=Schöne Grüße an alle"}},
      {"without spaces",
       {"你好", "你好世", "你好世界"},
       "你好世界。",
       {"|你好", "你好|世", "你好世|界", "=你好世界。"}},
      {"quotes",
       {"he said \"yes", "he said \"yes\" and"},
       "He said \"yes\" and no.",
       {"|he said \"yes", "he said \"yes|\" and", "=he said \"yes\" and no."}},
  };
  for (const Case& c : cases) EXPECT_EQ(Follow(c.hypotheses, c.final_text), c.expected) << c.what;
}

TEST(Agreement, TheLastWordsOfAHypothesisAreUnsure) {
  Agreement agreement(2);
  EXPECT_EQ(agreement.Update("And so am I").committed, "");
  EXPECT_EQ(agreement.Update("And so am I fellow").committed, "And so");
  EXPECT_EQ(agreement.Update("And so my fellow Americans").committed, "And so");
  EXPECT_EQ(agreement.Final("And so my fellow Americans."), "And so my fellow Americans.");
  EXPECT_EQ(agreement.Update("one").committed, "");
  EXPECT_EQ(agreement.Update("one two").committed, "");
}

TEST(Agreement, FinalEndsAnUtterance) {
  Agreement agreement;
  agreement.Update("one two");
  agreement.Update("one two");
  EXPECT_EQ(agreement.Final("one two three"), "one two three");
  EXPECT_EQ(agreement.Update("four").text(), "four");
  agreement.Update("four");
  agreement.Reset();
  EXPECT_EQ(agreement.Final("five"), "five");
}

// Whatever the recogniser says: committed text only grows, and the final text begins with it. With
// a recogniser that is right but for its last words, the final text is what was said.
TEST(Agreement, CommittedWordsNeverChange) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    constexpr const char* kWords[] = {"a",     "the", "country", "do,",  "ask.", "\"not",
                                      "you\"", "für", "-",       "世界", "...",  "don't"};
    Agreement agreement;
    std::string committed;
    const auto some = [&](std::size_t most) {
      std::string text;
      for (std::size_t i = pick(most); i > 0; --i)
        text += std::string(kWords[pick(std::size(kWords))]) + (pick(5) == 0 ? "" : " ");
      return text;
    };
    std::string base = some(20);
    for (int i = 0; i < 10; ++i) {
      const Partial partial = agreement.Update(pick(3) == 0 ? some(20) : base + some(3));
      ASSERT_TRUE(partial.committed.starts_with(committed)) << seed;
      committed = partial.committed;
      if (pick(2) == 0) base += some(3);
    }
    ASSERT_TRUE(agreement.Final(some(25)).starts_with(committed)) << seed;
  }
}

TEST(Agreement, WhatIsSaidIsWhatComesOut) {
  const std::string said =
      "and so my fellow americans ask not what your country can do for you ask what you can do for "
      "your country";
  const auto words = Tokenise(said);
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    Agreement agreement;
    for (std::size_t heard = 1; heard < words.size(); heard += 1 + random() % 3) {
      std::string text;
      for (std::size_t i = 0; i < heard; ++i) text += std::string(words[i].text) + " ";
      agreement.Update(text + (random() % 2 != 0 ? "noise" : "something else"));
    }
    ASSERT_EQ(agreement.Final(said), said);
  }
}

TEST(PartialPace, OnlyWhatEndsBeforeTheNextIsDueIsStarted) {
  struct Case {
    int since, audio;
    double cost;
    int fixed;
    bool may;
  };
  const Case cases[] = {
      {1000, 3000, 0.1, 0, true},
      {999, 3000, 0.1, 0, false},  // not due
      {5000, 700, 0.1, 0, false},  // too little audio
      {1000, 9000, 0.1, 0, true},
      {1000, 10'000, 0.1, 0, false},
      {1000, 3000, 0.1, 700, false},
      {1000, 3000, 0.1, 600, true},
      {1000, 3000, std::numeric_limits<double>::quiet_NaN(), 0, false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(MayStartPartial({}, Milliseconds(c.since), Milliseconds(c.audio), c.cost,
                              Milliseconds(c.fixed)),
              c.may)
        << c.since << " " << c.audio << " " << c.cost;
  }
}

}  // namespace
}  // namespace headroom::speech
