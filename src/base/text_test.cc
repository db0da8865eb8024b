#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headroom {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(EditDistance, CountsEditsAndSwaps) {
  EXPECT_EQ(EditDistance("base", "base"), 0u);
  EXPECT_EQ(EditDistance("BASE", "base"), 0u);
  EXPECT_EQ(EditDistance("whisper", "whipser"), 1u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
}

TEST(NearestNames, SuggestsOnlyWhatIsNear) {
  const std::vector<std::string> names = {"whisper-base", "whisper-base.en", "canary-1b-flash"};
  EXPECT_THAT(NearestNames("wisper-base", names), ElementsAre("whisper-base"));
  EXPECT_THAT(NearestNames("canary", names), ElementsAre("canary-1b-flash"));
  EXPECT_THAT(NearestNames("qqqqqqqq", names), IsEmpty());
}

TEST(Printable, KeepsTextAndDefusesTheRest) {
  EXPECT_EQ(Printable("Grüße, 世界\n"), "Grüße, 世界\n");
  EXPECT_EQ(Printable("a\x1b[31mb"), "a [31mb");
  EXPECT_EQ(Printable("\xff"), "\xEF\xBF\xBD");
  EXPECT_EQ(Printable("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");  // overlong
  EXPECT_EQ(Printable("\xE4\xB8"), "\xEF\xBF\xBD\xEF\xBF\xBD");  // cut
  EXPECT_EQ(Printable("\xC2\x9B"), " ");                         // a C1 control: CSI
}

TEST(Trim, AndSplit) {
  EXPECT_EQ(Trim("  a b \n"), "a b");
  EXPECT_EQ(Trim(" \t"), "");
  EXPECT_THAT(Split("a,,b", ','), ElementsAre("a", "", "b"));
}

}  // namespace
}  // namespace headroom
