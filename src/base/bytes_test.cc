#include "base/bytes.h"

#include <gtest/gtest.h>

namespace headroom {
namespace {

TEST(Bytes, FormatsMemoryInBinaryUnits) {
  EXPECT_EQ(FormatBinary(Bytes(0)), "0 B");
  EXPECT_EQ(FormatBinary(Bytes(1023)), "1023 B");
  EXPECT_EQ(FormatBinary(MiB(4096)), "4.0 GiB");
  EXPECT_EQ(FormatBinary(Bytes(1047108812)), "998.6 MiB");
  EXPECT_EQ(FormatBinary(Bytes(-3 << 20)), "-3.0 MiB");
}

TEST(Bytes, FormatsFilesInDecimalUnits) {
  EXPECT_EQ(FormatDecimal(Bytes(999)), "999 B");
  EXPECT_EQ(FormatDecimal(Bytes(1'050'000'000)), "1.05 GB");
  EXPECT_EQ(FormatDecimal(Bytes(77'704'715)), "77.7 MB");
  EXPECT_EQ(FormatDecimal(Bytes(147'951'465)), "148 MB");
  EXPECT_EQ(FormatDecimal(Bytes(999'600)), "1.00 MB");
}

TEST(Bytes, ExactTextGivesTheSameBack) {
  EXPECT_EQ(FormatExact(MiB(64)), "64MiB");
  EXPECT_EQ(FormatExact(Bytes(2'000'000'000)), "2GB");
  for (const std::int64_t n : {0LL, 1LL, 999LL, 1024LL, 1'500'000LL, 123'456'789LL, 3LL << 30})
    EXPECT_EQ(ParseBytes(FormatExact(Bytes(n))).value(), Bytes(n)) << n;
}

TEST(Bytes, ParsesWhatPeopleWrite) {
  EXPECT_EQ(ParseBytes("4096MiB").value(), MiB(4096));
  EXPECT_EQ(ParseBytes("4 GiB").value(), GiB(4));
  EXPECT_EQ(ParseBytes("1.5G").value(), Bytes(1'500'000'000));
  EXPECT_EQ(ParseBytes("300").value(), Bytes(300));
  for (const char* bad : {"", "x", "-1", "4 parsecs", "1e30", "nan", "inf", "9e18"})
    EXPECT_EQ(ParseBytes(bad).error().code, Errc::kInvalid) << bad;
}

}  // namespace
}  // namespace headroom
