#include "speech/text/stitch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "speech/text/words.h"

namespace headroom::speech {
namespace {

using testing::ElementsAre;

TEST(StitchText, JoinsAtTheSharedWords) {
  EXPECT_EQ(StitchText("ask not what your country can do", "your country can do for you"),
            "ask not what your country can do for you");
  EXPECT_EQ(StitchText("He was not an ill-disposed young man.", "An ill disposed young man unless"),
            "He was not an ill-disposed young man unless");
}

TEST(StitchText, WordsCutInHalfAtTheSeamAreTakenFromTheOtherSide) {
  EXPECT_EQ(
      StitchText("we should consider how much there mi", "sider how much there might be in it"),
      "we should consider how much there might be in it");
  EXPECT_EQ(StitchText("that was very inter", "interesting indeed"),
            "that was very interesting indeed");
  EXPECT_EQ(StitchText("that was interesting", "resting indeed"), "that was interesting indeed");
}

TEST(StitchText, WordsHeardDifferentlyAreNotThereTwice) {
  EXPECT_EQ(StitchText("the people of the united states of amerika",
                       "of the United Status of America are"),
            "the people of the united Status of America are");
  EXPECT_EQ(
      StitchText("she said there are two many of them now", "there are too many of them now and"),
      "she said there are two many of them now and");
}

TEST(StitchText, TwoMatchesCarryAWordHeardAsThree) {
  EXPECT_EQ(StitchText("he might even have been made amiable himself", "made Amy a bull himself."),
            "he might even have been made amiable himself.");
}

TEST(StitchText, RepeatedWordsAreKept) {
  EXPECT_EQ(StitchText("it is the", "the the man"), "it is the the man");
  EXPECT_EQ(StitchText("he said the the", "said the the man"), "he said the the man");
  EXPECT_EQ(StitchText("well no no no no", "no no no yes"), "well no no no no yes");
}

TEST(StitchText, NumbersMustBeTheSame) {
  EXPECT_EQ(StitchText("it cost 1,000 dollars", "1000 dollars in all"),
            "it cost 1,000 dollars in all");
  EXPECT_EQ(StitchText("in the year 1995", "1996 was better"), "in the year 1995 1996 was better");
}

TEST(StitchText, NothingInCommonIsConcatenated) {
  EXPECT_EQ(StitchText("one two three", "four five six"), "one two three four five six");
  // One short word, with others to be lost on both sides of it, is no seam.
  EXPECT_EQ(StitchText("in front of the big house", "well I saw the thing"),
            "in front of the big house well I saw the thing");
}

TEST(StitchText, EmptySides) {
  EXPECT_EQ(StitchText("", ""), "");
  EXPECT_EQ(StitchText("Hello.", " "), "Hello.");
  EXPECT_EQ(StitchText(" ", "Hello."), "Hello.");
  EXPECT_EQ(StitchText("...", "Hello."), "... Hello.");
}

TEST(StitchText, TheSecondSideEndsInsideTheFirst) {
  EXPECT_EQ(StitchText("so that was all of it", "all of it"), "so that was all of it");
}

TEST(StitchText, PunctuationAtTheSeamIsThatOfTheSecondSide) {
  EXPECT_EQ(StitchText("And so, my fellow.", "fellow Americans,"), "And so, my fellow Americans,");
  EXPECT_EQ(StitchText("this is the end", "the end."), "this is the end.");
}

TEST(StitchText, ScriptsWithoutSpaces) {
  EXPECT_EQ(StitchText("今天天气很好我们去公", "好我们去公园散步。"),
            "今天天气很好我们去公园散步。");
  EXPECT_EQ(StitchText("ご清聴ありがとう。", "ありがとうございます。"),
            "ご清聴ありがとうございます。");
  EXPECT_EQ(StitchText("你好吗", "再见"), "你好吗再见");
  EXPECT_EQ(StitchText("ภาษาไทยไม่มี", "ไม่มีช่องว่าง"), "ภาษาไทยไม่มีช่องว่าง");
}

// A text is cut with an overlap wherever and has to come back.
TEST(StitchText, RestoresAnyText) {
  const std::string text =
      "and mister john dashwood had then leisure to consider how much there might be prudently in "
      "his "
      "power to do for them he was not an ill disposed young man unless to be rather cold hearted "
      "and "
      "rather selfish is to be ill disposed had he married a more amiable woman he might have been "
      "made "
      "still more respectable than he was he might even have been made amiable himself";
  const auto tokens = Tokenise(text);
  const auto from = [&](std::size_t i) {
    return static_cast<std::size_t>(tokens[i].text.data() - text.data());
  };
  for (std::size_t overlap = 2; overlap <= 10; ++overlap) {
    for (std::size_t at = 1; at + overlap < tokens.size(); ++at) {
      const auto first = text.substr(0, from(at + overlap) - 1);
      EXPECT_EQ(StitchText(first, text.substr(from(at))), text);
    }
  }
}

Word At(std::int64_t ms, std::string text) {
  return {Milliseconds(ms), Milliseconds(ms + 200), std::move(text)};
}

Segment Spoken(std::vector<Word> words) {
  std::string text;
  for (const Word& word : words) text = JoinTexts(text, word.text);
  return {words.front().start, words.back().end, text, words};
}

TEST(Stitcher, WordTimesDistinguishRepetitions) {
  // "again" is said twice, a second and a half apart; the chunks share only the second one.
  Stitcher stitcher;
  EXPECT_TRUE(
      stitcher.Add({Spoken({At(0, "again"), At(300, "and"), At(1800, "again")})}, false, true)
          .empty());
  const auto segments = stitcher.Add({Spoken({At(1800, "again"), At(2100, "now")})}, true, false);
  ASSERT_EQ(segments.size(), 2U);
  EXPECT_EQ(segments[0].text, "again and again");
  EXPECT_EQ(segments[1].text, "now");
  EXPECT_EQ(segments[1].start, Milliseconds(2100));
  ASSERT_EQ(segments[1].words.size(), 1U);
  EXPECT_EQ(segments[1].words[0].text, "now");

  // Far apart in time the same word is another one.
  stitcher.Add({Spoken({At(0, "go"), At(300, "home")})}, false, true);
  const auto apart = stitcher.Add({Spoken({At(3000, "home"), At(3300, "again")})}, true, false);
  ASSERT_EQ(apart.size(), 2U);
  EXPECT_EQ(apart[0].text, "go home");
  EXPECT_EQ(apart[1].text, "home again");
}

TEST(Stitcher, CutsSegmentsAndTheirWordsAtTheSeam) {
  Stitcher stitcher;
  stitcher.Add({Spoken({At(0, "It"), At(300, "was.")}),
                Spoken({At(1000, "Then"), At(1300, "we"), At(1600, "went"), At(1900, "hop.")})},
               false, true);
  const auto segments =
      stitcher.Add({Spoken({At(1310, "we"), At(1610, "went"), At(1910, "home,"), At(2200, "all")})},
                   true, false);
  ASSERT_EQ(segments.size(), 3U);
  EXPECT_EQ(segments[0].text, "It was.");
  EXPECT_EQ(segments[1].text + " " + segments[2].text, "Then we went home, all");
  EXPECT_LE(segments[1].end, segments[2].start);
  std::vector<std::string> words;
  for (const Segment& segment : segments)
    for (const Word& word : segment.words) words.push_back(word.text);
  EXPECT_THAT(words, ElementsAre("It", "was.", "Then", "we", "went", "home,", "all"));
}

TEST(Stitcher, HoldsOnlyWhatMayStillChange) {
  Stitcher stitcher;
  const auto one = Segment{Milliseconds(0), Milliseconds(1000), "one two three", {}};
  const auto two = Segment{Milliseconds(800), Milliseconds(2000), "two three four five", {}};
  const auto three = Segment{Milliseconds(1800), Milliseconds(3000), "four five six", {}};
  EXPECT_EQ(stitcher.Add({one}, false, false).size(), 1U);
  EXPECT_TRUE(stitcher.Add({one}, false, true).empty());
  const auto first = stitcher.Add({two}, true, true);
  ASSERT_EQ(first.size(), 1U);
  const auto second = stitcher.Add({three}, true, true);
  const auto last = stitcher.Finish();
  ASSERT_EQ(second.size(), 1U);
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(first[0].text + " " + second[0].text + " " + last[0].text,
            "one two three four five six");
  EXPECT_TRUE(stitcher.Finish().empty());
}

TEST(Stitcher, AChunkWithoutTextLosesNothing) {
  Stitcher stitcher;
  const auto one = Segment{Milliseconds(0), Milliseconds(1000), "one two", {}};
  stitcher.Add({one}, false, true);
  EXPECT_EQ(stitcher.Add({}, true, true).size(), 1U);
  EXPECT_EQ(stitcher.Add({one}, true, false).size(), 1U);
}

}  // namespace
}  // namespace headroom::speech
