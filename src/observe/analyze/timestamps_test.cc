#include "observe/analyze/timestamps.h"

#include <gtest/gtest.h>

namespace headroom::analyze {
namespace {

const TimeZone kUtc = TimeZone::Fixed(Milliseconds(0));
const Instant kStart(Milliseconds(1761855600000));  // 2025-10-30T20:20:00Z

TEST(ParseTime, ReadsWhatLogsWrite) {
  const TimeZone berlin = TimeZone::Fixed(std::chrono::hours(1));
  for (const char* text :
       {"2025-10-30T20:20:00Z", "2025-10-30T21:20:00+0100", "2025-10-30T21:20:00.000+01:00",
        "2025/10/30 21:20:00.000", "2025-10-30 21:20:00", "20251030 21:20:00",
        "Thu 2025-10-30 20:20:00 UTC", "Thu Oct 30 21:20:00 2025", "1761855600", "1761855600.000",
        "1761855600000", "1761855600000000", "Oct 30 21:20:00"}) {
    const auto time = ParseTime(text, berlin, kStart + std::chrono::hours(100));
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(time->at, kStart) << text << " is " << FormatTime(time->at, kUtc);
    EXPECT_EQ(time->length, std::string_view(text).size()) << text;
  }
  EXPECT_EQ(ParseTime("2025-10-30T20:20:00,25Z", kUtc)->at - kStart, Milliseconds(250));
  EXPECT_TRUE(ParseTime("2025-10-30 20:20:00 UTC", berlin)->zone_named);
  EXPECT_FALSE(ParseTime("2025-10-30 20:20:00", berlin)->zone_named);
}

TEST(ParseTime, RefusesWhatIsNone) {
  for (const char* text : {"", "yesterday", "2025-13-01 00:00:00", "2025-02-30 00:00:00",
                           "20:20:00", "2025-10-30", "Oct", "Oct 30", "25", "2025-10-30 20:61:00",
                           "Thu ", "1-2-3", "99999999999999999999", "2025-10-30T"})
    EXPECT_FALSE(ParseTime(text, kUtc, kStart)) << text;
  EXPECT_FALSE(ParseTime("Oct 30 20:20:00", kUtc)) << "no year and nothing to infer it from";
}

TEST(ParseTime, ADateWithoutYearIsTheLatestBefore) {
  const Instant january = ParseTime("2026-01-02T00:00:00Z", kUtc)->at;
  EXPECT_EQ(FormatTime(ParseTime("Dec 31 23:00:00", kUtc, january)->at, kUtc),
            "2025-12-31 23:00:00");
  EXPECT_EQ(FormatTime(ParseTime("Jan  1 01:00:00", kUtc, january)->at, kUtc),
            "2026-01-01 01:00:00");
  EXPECT_EQ(FormatTime(ParseTime("Feb 29 01:00:00", kUtc, january)->at, kUtc),
            "2024-02-29 01:00:00");
}

TEST(TimeZone, Offsets) {
  EXPECT_EQ(TimeZone::Parse("-05:30")->ToLocal(kStart),
            kStart.time_since_epoch() - std::chrono::minutes(330));
  EXPECT_FALSE(TimeZone::Parse("+2"));
  EXPECT_FALSE(TimeZone::Parse("Mars"));
}

TEST(Length, IsSaidAndRead) {
  EXPECT_EQ(FormatLength(Milliseconds(244'000)), "4 min 4 s");
  EXPECT_EQ(FormatLength(Milliseconds(39'298'000)), "10 h 54 min 58 s");
  EXPECT_EQ(FormatLength(Milliseconds(200)), "0.2 s");
  EXPECT_EQ(FormatLength(std::chrono::hours(76)), "3 d 4 h");
  EXPECT_EQ(*ParseLength("12h"), std::chrono::hours(12));
  for (const char* text : {"12", "h", "-1h", "12 parsecs", "1e99h"})
    EXPECT_FALSE(ParseLength(text)) << text;
}

}  // namespace
}  // namespace headroom::analyze
