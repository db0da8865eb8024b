#include "base/duration.h"

#include <gtest/gtest.h>

namespace headroom {
namespace {

TEST(Duration, IsParsed) {
  EXPECT_EQ(ParseDuration("800ms").value(), Milliseconds(800));
  EXPECT_EQ(ParseDuration(" 1.5 s ").value(), Milliseconds(1500));
  EXPECT_EQ(ParseDuration("5min").value(), Milliseconds(300'000));
  EXPECT_EQ(ParseDuration("24h").value(), Milliseconds(86'400'000));
  EXPECT_EQ(ParseDuration("30d").value(), Milliseconds(30 * 86'400'000LL));
  EXPECT_EQ(ParseDuration("0").value(), Milliseconds(0));
}

TEST(Duration, WhatIsNoneIsRefused) {
  for (const char* text : {"", "s", "5", "-1s", "1 week", "nan s", "inf h", "1e9h", "99999999d",
                           "1s2", "1 s s", "0x10s"})
    EXPECT_FALSE(ParseDuration(text)) << text;
  EXPECT_EQ(ParseDuration("5").error().what,
            "\"5\" is not a length of time; write for example 800ms, 1.5s, 5min or 24h");
}

TEST(Duration, IsWrittenAsItIsRead) {
  for (const char* text :
       {"0s", "1ms", "800ms", "1s", "90s", "1500ms", "5min", "1h", "24h", "25h", "2d", "30d"})
    EXPECT_EQ(FormatDuration(ParseDuration(text).value()), text);
}

}  // namespace
}  // namespace headroom
