#include "speech/text/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "speech/text/token_times.h"
#include "speech/text/unicode.h"

namespace headroom::speech {
namespace {

using testing::ElementsAre;

std::vector<std::string> Texts(std::string_view text) {
  std::vector<std::string> texts;
  for (const Token& token : Tokenise(text)) texts.emplace_back(token.text);
  return texts;
}

TEST(Tokenise, KeepsPunctuationWithItsWord) {
  EXPECT_THAT(Texts("  \"Well,\" he said – don't (ever) go!  "),
              ElementsAre("\"Well,\"", "he", "said –", "don't", "(ever)", "go!"));
  EXPECT_THAT(Texts("- Yes. ..."), ElementsAre("- Yes. ..."));
  EXPECT_THAT(Texts("♪ ♪"), ElementsAre("♪ ♪"));
  EXPECT_TRUE(Tokenise(" \n").empty());
}

TEST(Tokenise, ScriptsWithoutSpacesGiveOneTokenPerCharacter) {
  EXPECT_THAT(Texts("我说「你好」。OK吗"), ElementsAre("我", "说", "「你", "好」。", "OK", "吗"));
  EXPECT_THAT(Texts("ที่นี่"), ElementsAre("ที่", "นี่"));
  EXPECT_THAT(Texts("안녕 하세요"), ElementsAre("안녕", "하세요"));
}

TEST(Tokenise, CoreEndsBeforeTheClosingPunctuation) {
  const auto tokens = Tokenise("(Over)...");
  ASSERT_EQ(tokens.size(), 1U);
  EXPECT_EQ(tokens[0].core_end, 5U);
  EXPECT_EQ(tokens[0].folded, "over");
}

TEST(Fold, IgnoresCaseAndPunctuationInManyScripts) {
  EXPECT_EQ(Fold("Thank you!"), "thank you");
  EXPECT_EQ(Fold("1,000 Ärzte, ŽIŽEK"), "1000 ärzte žižek");
  EXPECT_EQ(Fold("ΑΘΉΝΑ Москва Ёж"), "αθήνα москва ёж");
  EXPECT_EQ(Fold("…"), "");
}

TEST(Columns, WideAndCombining) {
  EXPECT_EQ(Columns("abc"), 3U);
  EXPECT_EQ(Columns("日本"), 4U);
  EXPECT_EQ(Columns("e\xCC\x81"), 1U);
}

TEST(JoinTexts, PutsASpaceWhereTheScriptHasOne) {
  EXPECT_EQ(JoinTexts("Hello.", " You "), "Hello. You");
  EXPECT_EQ(JoinTexts("你好。", "再见"), "你好。再见");
  EXPECT_EQ(JoinTexts("你好", "Bob"), "你好 Bob");
  EXPECT_EQ(JoinTexts("", "a"), "a");
  EXPECT_EQ(JoinTexts("a", ""), "a");
}

TEST(EndsSentence, SeesThroughQuotes) {
  EXPECT_TRUE(EndsSentence("Yes."));
  EXPECT_TRUE(EndsSentence("He said \"yes!\""));
  EXPECT_TRUE(EndsSentence("好。」"));
  EXPECT_FALSE(EndsSentence("1.5"));
  EXPECT_FALSE(EndsSentence("and, "));
  EXPECT_FALSE(EndsSentence(""));
}

TEST(OneLine, IsOneLineOfUtf8) {
  EXPECT_EQ(OneLine("\n a\t\tb\x01"
                    "c\xFF "),
            "a b c\xEF\xBF\xBD");
}

TEST(CodePoints, EveryByteComesBack) {
  // Whatever the bytes, the characters taken off them spell them again.
  unsigned state = 1;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (int i = 0; i < 12; ++i) {
      state = state * 1664525U + 1013904223U;
      bytes += static_cast<char>(round % 2 ? 0x80 | (state >> 24) : state >> 24);
    }
    std::string_view rest = bytes;
    std::string back;
    while (!rest.empty()) AppendCodePoint(TakeCodePoint(rest), back);
    ASSERT_EQ(back, bytes);
  }
}

std::vector<std::int64_t> Starts(const Segment& segment) {
  std::vector<std::int64_t> starts;
  for (const TokenTime& time : TimesOf(Tokenise(segment.text), segment))
    starts.push_back(time.start.count());
  return starts;
}

TEST(TokenTimes, InProportionOrFromTheWords) {
  Segment segment{Milliseconds(1000), Milliseconds(2000), "aa bbb, ccccc", {}};
  EXPECT_THAT(Starts(segment), ElementsAre(1000, 1200, 1500));
  segment.words = {{Milliseconds(1100), Milliseconds(1150), "aa"},
                   {Milliseconds(1300), Milliseconds(1400), "bbb,"},
                   {Milliseconds(1700), Milliseconds(1900), "ccccc"}};
  EXPECT_THAT(Starts(segment), ElementsAre(1100, 1300, 1700));
  EXPECT_EQ(TimesOf(Tokenise(segment.text), segment)[1].end, Milliseconds(1400));
  segment.words[0].text = "a a";  // spelled otherwise, or missing: still in order and inside
  segment.words.pop_back();
  const auto times = TimesOf(Tokenise(segment.text), segment);
  EXPECT_EQ(times.back().end, Milliseconds(1400));
  segment.text = "...";
  EXPECT_THAT(Starts(segment), ElementsAre(1000));
}

TEST(RepeatsItself, IsTheWholeTextSaidAgain) {
  EXPECT_TRUE(RepeatsItself("Press 4 for the menu. Press 4 for the menu."));
  EXPECT_TRUE(RepeatsItself("Press four, press four; press four"));
  EXPECT_TRUE(RepeatsItself("谢谢 谢谢"));
  EXPECT_FALSE(RepeatsItself("Bye, bye."));
  EXPECT_FALSE(RepeatsItself("Press four for the menu. Press four for the"));
  EXPECT_FALSE(RepeatsItself("Ask not what your country can do for you"));
  EXPECT_FALSE(RepeatsItself(""));
}

}  // namespace
}  // namespace headroom::speech
