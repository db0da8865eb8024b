#include "speech/text/hallucination.h"

#include <gtest/gtest.h>

namespace headroom::speech {
namespace {

constexpr Evidence kStrong{.speech = Milliseconds(700), .probability = 0.95F};
constexpr Evidence kBrief{.speech = Milliseconds(300), .probability = 0.75F};
constexpr Evidence kBriefButSure{.speech = Milliseconds(290), .probability = 0.95F};
constexpr Evidence kUnsure{.speech = Milliseconds(2000), .probability = 0.6F};

TEST(Hallucination, IsDroppedOnlyOnWeakEvidence) {
  EXPECT_TRUE(IsHallucination(" Thank you.", "en", kBrief));
  EXPECT_TRUE(IsHallucination("Thanks for watching!", "en", kUnsure));
  EXPECT_FALSE(IsHallucination("Thank you.", "en", kStrong));
  EXPECT_FALSE(IsHallucination("Bye.", "en", kBriefButSure));
  EXPECT_FALSE(IsHallucination("Thank you.", "en", {Milliseconds(700), 0.75F}));
  EXPECT_TRUE(IsHallucination("Thank you.", "en", {}));
}

TEST(Hallucination, RealWordsStayHoweverShort) {
  for (const char* text : {"Yes.", "No!", "Thank you, John.", "You know", "Stop.", "Five.", "好。"})
    EXPECT_FALSE(IsHallucination(text, "", kBrief)) << text;
}

TEST(Hallucination, ByLanguageAndAlwaysInEnglish) {
  EXPECT_TRUE(IsHallucinatedPhrase("Vielen Dank.", "de"));
  EXPECT_FALSE(IsHallucinatedPhrase("Vielen Dank.", "fr"));
  EXPECT_TRUE(IsHallucinatedPhrase("Vielen Dank.", ""));
  EXPECT_TRUE(IsHallucinatedPhrase("thank you", "de"));
  EXPECT_TRUE(IsHallucinatedPhrase("ご視聴ありがとうございました", "ja"));
  EXPECT_TRUE(IsHallucinatedPhrase("ПРОДОЛЖЕНИЕ СЛЕДУЕТ…", "ru"));
  EXPECT_TRUE(IsHallucinatedPhrase("Subtitles by the Amara.org community", "sv"));
}

TEST(Hallucination, NotesAreNoSpeech) {
  for (const char* text : {"[Music]", "(applause)", "♪", "♪ ♪", "...", "* sighs *", "（拍手）", ""})
    EXPECT_TRUE(IsHallucinatedPhrase(text, "en")) << text;
  for (const char* text : {"[Music] Hello.", "(a) or (b)", "[Bob] yes [Ann]"})
    EXPECT_FALSE(IsHallucinatedPhrase(text, "en")) << text;
}

}  // namespace
}  // namespace headroom::speech
