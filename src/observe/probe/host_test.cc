#include "observe/probe/host.h"

#include <gtest/gtest.h>

#include "observe/probe/kernel_text.h"
#include "observe/testing/fixture.h"

namespace headroom::probe {
namespace {

constexpr const char* kMeminfo =
    "MemTotal:       24684092 kB\n"
    "MemFree:        21804192 kB\n"
    "MemAvailable:   23389036 kB\n"
    "Cached:          1671016 kB\n"
    "SwapTotal:       2097148 kB\n"
    "SwapFree:        1048576 kB\n"
    "Dirty:              9460 kB\n";

TEST(Meminfo, Normal) {
  const auto host = ParseMeminfo(kMeminfo);
  ASSERT_TRUE(host);
  EXPECT_EQ(host->total, KiB(24684092));
  EXPECT_EQ(host->available, KiB(23389036));
  EXPECT_EQ(host->free, KiB(21804192));
  ASSERT_TRUE(host->swap);
  EXPECT_EQ(host->swap->used(), KiB(2097148 - 1048576));
}

TEST(Meminfo, EveryPrefixIsAbsentOrTrue) {
  const std::string text = kMeminfo;
  for (std::size_t n = 0; n <= text.size(); ++n) {
    const auto host = ParseMeminfo(text.substr(0, n));
    if (!host) continue;
    EXPECT_EQ(host->total, KiB(24684092));
    EXPECT_LE(host->available, KiB(23389036)) << n;
  }
  EXPECT_FALSE(ParseMeminfo(text.substr(0, text.find("MemAvailable"))));
}

TEST(Meminfo, UnbelievableIsAbsent) {
  for (const char* text :
       {"", "MemTotal: 0 kB\nMemFree: 0 kB\nMemAvailable: 0 kB\n", "MemTotal 5\n\0x\xff",
        "MemTotal: 100 kB\nMemFree: 10 kB\nMemAvailable: 200 kB\n",
        "MemTotal: 100 kB\nMemFree: 101 kB\nMemAvailable: 20 kB\n",
        "MemTotal: -100 kB\nMemFree: 10 kB\nMemAvailable: 20 kB\n",
        "MemTotal: 100 parsecs\nMemFree: 10 kB\nMemAvailable: 20 kB\n",
        "MemTotal: 99999999999999999999999 kB\nMemFree: 10 kB\nMemAvailable: 20 kB\n",
        "MemTotal: 9223372036854775807 kB\nMemFree: 10 kB\nMemAvailable: 20 kB\n"})
    EXPECT_FALSE(ParseMeminfo(text)) << text;
}

TEST(Meminfo, SwapThatIsNotThere) {
  const auto host = ParseMeminfo(
      "MemTotal: 100 kB\nMemFree: 10 kB\nMemAvailable: 20 kB\nSwapTotal: 1 kB\nSwapFree: 2 kB\n");
  ASSERT_TRUE(host);
  EXPECT_FALSE(host->swap);
}

TEST(Pressure, Normal) {
  const auto pressure = ParsePressure(
      "some avg10=1.50 avg60=0.25 avg300=0.00 total=123456\n"
      "full avg10=0.75 avg60=0.00 avg300=0.00 total=1000\n");
  ASSERT_TRUE(pressure);
  EXPECT_DOUBLE_EQ(pressure->some.avg10, 1.5);
  EXPECT_DOUBLE_EQ(pressure->full.avg10, 0.75);
  EXPECT_EQ(pressure->some.total, std::chrono::microseconds(123456));
}

TEST(Pressure, OldCgroupsHaveNoFullLine) {
  const auto pressure = ParsePressure("some avg10=1.50 avg60=0.25 avg300=0.00 total=1\n");
  ASSERT_TRUE(pressure);
  EXPECT_EQ(pressure->full.avg10, 0);
}

TEST(Pressure, UnbelievableIsAbsent) {
  for (const char* text :
       {"", "some", "some avg10=1.5", "some avg10=nan avg60=0 avg300=0 total=0",
        "some avg10=101 avg60=0 avg300=0 total=0", "some avg10=-1 avg60=0 avg300=0 total=0",
        "some avg10=1e300 avg60=0 avg300=0 total=0",
        "some avg10=1 avg60=0 avg300=0 total=99999999999999999999",
        "full avg10=1 avg60=0 avg300=0 total=0", "\xff\xff=\n\n\n"})
    EXPECT_FALSE(ParsePressure(text)) << text;
}

TEST(KernelText, Sizes) {
  EXPECT_EQ(ParseSized("12 kB"), KiB(12));
  EXPECT_EQ(ParseSized("12 KiB"), KiB(12));
  EXPECT_EQ(ParseSized("3 MiB"), MiB(3));
  EXPECT_EQ(ParseSized("7"), Bytes(7));
  EXPECT_EQ(ParseSized("4398046511104 kB"), kMostBytes);
  EXPECT_FALSE(ParseSized("4398046511105 kB"));
  EXPECT_FALSE(ParseSized("1 kB more"));
  EXPECT_FALSE(ParseSized("1.5 kB"));
  EXPECT_FALSE(ParseSized(kHugeNumber));
  EXPECT_FALSE(ParseNumber("+1"));
  EXPECT_FALSE(ParseNumber(" 1"));
  EXPECT_EQ(ParseHex("0x1002\n"), 0x1002u);
  EXPECT_FALSE(ParseHex("0x"));
  EXPECT_FALSE(ParseHex("0x123456789"));
}

TEST(KernelFile, IsReadAnewAndFollowsItsPath) {
  const FakeRoot root(Files{{"a", "one"}});
  KernelFile file(root / "a");
  std::array<char, 16> buffer;
  EXPECT_EQ(file.Read(buffer), "one");
  root.Write({{"a", "twice"}});
  EXPECT_EQ(file.Read(buffer), "twice");
  root.Write({{"a", "longer than the buffer"}});
  EXPECT_EQ(file.Read(buffer), "longer than the ");

  KernelFile missing(root / "b");
  EXPECT_FALSE(missing.Read(buffer));
  root.Write({{"b", "here now"}});
  EXPECT_EQ(missing.Read(buffer), "here now");
  EXPECT_FALSE(KernelFile(root.path()).Read(buffer)) << "a folder";
}

}  // namespace
}  // namespace headroom::probe
