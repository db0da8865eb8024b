#include "speech/text/phantom.h"

#include <gtest/gtest.h>

namespace headroom::speech {
namespace {

constexpr Evidence kStrong{.speech = Milliseconds(700), .probability = 0.95F};
constexpr Evidence kBrief{.speech = Milliseconds(300), .probability = 0.75F};
constexpr Evidence kBriefButSure{.speech = Milliseconds(290), .probability = 0.95F};
constexpr Evidence kUnsure{.speech = Milliseconds(2000), .probability = 0.6F};

TEST(Phantom, IsDroppedOnlyOnWeakEvidence) {
  EXPECT_TRUE(IsPhantom(" Thank you.", "en", kBrief));
  EXPECT_TRUE(IsPhantom("Thanks for watching!", "en", kUnsure));
  EXPECT_FALSE(IsPhantom("Thank you.", "en", kStrong));
  EXPECT_FALSE(IsPhantom("Bye.", "en", kBriefButSure));
  EXPECT_FALSE(IsPhantom("Thank you.", "en", {Milliseconds(700), 0.75F}));
  EXPECT_TRUE(IsPhantom("Thank you.", "en", {}));
}

TEST(Phantom, RealWordsStayHoweverShort) {
  for (const char* text : {"Yes.", "No!", "Thank you, John.", "You know", "Stop.", "Five.", "好。"})
    EXPECT_FALSE(IsPhantom(text, "", kBrief)) << text;
}

TEST(Phantom, ByLanguageAndAlwaysInEnglish) {
  EXPECT_TRUE(IsPhantomPhrase("Vielen Dank.", "de"));
  EXPECT_FALSE(IsPhantomPhrase("Vielen Dank.", "fr"));
  EXPECT_TRUE(IsPhantomPhrase("Vielen Dank.", ""));
  EXPECT_TRUE(IsPhantomPhrase("thank you", "de"));
  EXPECT_TRUE(IsPhantomPhrase("ご視聴ありがとうございました", "ja"));
  EXPECT_TRUE(IsPhantomPhrase("ПРОДОЛЖЕНИЕ СЛЕДУЕТ…", "ru"));
  EXPECT_TRUE(IsPhantomPhrase("Subtitles by the Amara.org community", "sv"));
}

TEST(Phantom, NotesAreNoSpeech) {
  for (const char* text : {"[Music]", "(applause)", "♪", "♪ ♪", "...", "* sighs *", "（拍手）", ""})
    EXPECT_TRUE(IsPhantomPhrase(text, "en")) << text;
  for (const char* text : {"[Music] Hello.", "(a) or (b)", "[Bob] yes [Ann]"})
    EXPECT_FALSE(IsPhantomPhrase(text, "en")) << text;
}

}  // namespace
}  // namespace headroom::speech
