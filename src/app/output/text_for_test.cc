#include "app/output/text_for.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headroom::output {
namespace {

using testing::ElementsAre;

TEST(TextFor, NewLinesBecomeOneSpace) {
  EXPECT_EQ(TextFor("one\ntwo", Newlines::kSpace), "one two");
  EXPECT_EQ(TextFor("one \n\n two  three\n", Newlines::kSpace), "one two  three");
  EXPECT_EQ(TextFor("\r\none\r\n", Newlines::kSpace), "one");
  EXPECT_EQ(TextFor("", Newlines::kSpace), "");
  EXPECT_EQ(TextFor("\n", Newlines::kSpace), "");
  EXPECT_EQ(TextFor(" one ", Newlines::kSpace), " one ");
}

TEST(TextFor, NothingThatControlsATerminalComesThrough) {
  EXPECT_EQ(TextFor("a\x1b[2Jb\x03", Newlines::kKeep), "a [2Jb ");
  EXPECT_EQ(TextFor("Gr\xc3\xbc\xc3\x9f \xff\r\nx", Newlines::kKeep),
            "Gr\xc3\xbc\xc3\x9f \xef\xbf\xbd\nx");
}

TEST(KeyLines, AreCutAtEnter) {
  EXPECT_THAT(KeyLines("a\tb\nc", Newlines::kKeep), ElementsAre("a b", "c"));
  EXPECT_THAT(KeyLines("a\tb\nc\n", Newlines::kShiftEnter), ElementsAre("a b", "c", ""));
  EXPECT_THAT(KeyLines("a\nb\n", Newlines::kSpace), ElementsAre("a b"));
}

TEST(TextFor, BackspacesThatDeleteItAgain) {
  EXPECT_EQ(BackspacesFor("Grüße €5"), 8);
  EXPECT_EQ(BackspacesFor("日本"), 2);
  for (const char* uncertain : {"", "e\xCC\x81", "\U0001F3A4", "a\u200Db", "a\nb", "x\uFE0F"})
    EXPECT_EQ(BackspacesFor(uncertain), std::nullopt) << uncertain;
}

}  // namespace
}  // namespace headroom::output
