#include "memory/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "memory/replay.h"

namespace headroom::memory {
namespace {

using testing::HasSubstr;

TEST(Trace, ColumnsInAnyOrderAndEmptyCellsAreUnknown) {
  const auto trace = ParseTrace(
      "# a night\nvram_used_mib, time_s ,colour,psi,event,rss_mb\r\n"
      "3740,0,red,1.5,,789.7\n,2.5,,,oom,\n");
  ASSERT_TRUE(trace) << trace.error().what;
  ASSERT_EQ(trace->rows.size(), 2u);
  EXPECT_EQ(trace->rows[0].sample.vram_used, MiB(3740));
  EXPECT_EQ(trace->rows[0].sample.ram, Bytes(789'700'000));
  EXPECT_EQ(trace->rows[0].sample.psi_full, 1.5);
  EXPECT_EQ(trace->rows[1].at, Milliseconds(2500));
  EXPECT_EQ(trace->rows[1].sample.vram_used, std::nullopt);
  EXPECT_EQ(trace->rows[1].sample.failure, Failure::kOutOfMemory);
  EXPECT_EQ(trace->unknown_columns, std::vector<std::string>{"colour"});
}

TEST(Trace, BadRowsAreCountedAndNamed) {
  const auto trace = ParseTrace(
      "time_s,rss_mb,event\n0,1,\n1,x,\n2,-1,\n3,nan,\n4,1\n5,1,party\n,1,\n6,1,\n2,1,\n7,1e300,"
      "\n");
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->rows.size(), 2u);
  EXPECT_EQ(trace->bad_rows, 8u);
  EXPECT_EQ(trace->bad[0], "line 3: rss_mb: \"x\" is not a number");
  EXPECT_EQ(trace->bad[3], "line 6: 2 cells where the header has 3");
  EXPECT_EQ(trace->bad[4], "line 7: event: \"party\" is no event");
  EXPECT_EQ(trace->bad[6], "line 10: time goes backwards");
}

TEST(Trace, WhatIsNoTraceIsRefused) {
  EXPECT_FALSE(ParseTrace(""));
  EXPECT_FALSE(ParseTrace("a,b\n1,2\n"));
  EXPECT_FALSE(ParseTrace("time_s,psi,psi_full\n"));
  EXPECT_FALSE(ParseTrace("time_s\n" + std::string(5000, '1')));
  EXPECT_EQ(ParseTrace("time_s\n9919999996\n3\n").value().rows.size(), 1U);
  EXPECT_FALSE(ParseTrace("time_s\n1\n2\n3\n", 2));
  EXPECT_TRUE(ParseTrace("\xEF\xBB\xBFtime_s\n"));
}

TEST(Replay, TheIncidentWouldNotHaveBeenLoaded) {
  const auto trace = ParseTrace(
      "time_s,vram_used_mib,vram_total_mib,vram_others_mib,rss_mb,swap_mb\n"
      "0,3740,4096,140,789.7,0\n10,3740,4096,140,789.7,0\n14,4096,4096,496,6000,1300\n");
  ASSERT_TRUE(trace);
  Policy policy;
  policy.tiers = ExampleTiers();
  const auto replay = ReplayTrace(*trace, policy);
  ASSERT_TRUE(replay) << replay.error().what;
  EXPECT_THAT(replay->start,
              HasSubstr("would not be admitted: UNSAFE: 3600 MiB weights + 140 others"));
  const auto at = [&](Gauge gauge, Zone zone) {
    return replay->time[static_cast<std::size_t>(gauge)][static_cast<std::size_t>(zone)];
  };
  EXPECT_EQ(at(Gauge::kVram, Zone::kDanger), Milliseconds(14'000));
  EXPECT_EQ(at(Gauge::kRam, Zone::kSafe), Milliseconds(14'000));
  bool restart = false, smaller = false;
  for (const ReplayEvent& event : replay->events) {
    restart = restart || event.action.kind == ActionKind::kSaveAndRestart;
    smaller = smaller || (event.action.kind == ActionKind::kLoad && event.at.count() == 0 &&
                          event.target.starts_with("canary-1b-flash Q8_0"));
  }
  EXPECT_TRUE(restart);
  EXPECT_TRUE(smaller);
}

TEST(Replay, AGapIsTimeInNoZone) {
  Trace trace;
  for (const int second : {0, 60}) {
    TraceRow row;
    row.at = std::chrono::seconds(second);
    row.holds = Milliseconds(2'000);
    row.sample.ram = MiB(100);
    trace.rows.push_back(row);
  }
  Policy policy;
  policy.tiers = ExampleTiers();
  const Replay replay = *ReplayTrace(trace, policy);
  EXPECT_EQ(replay.time[static_cast<std::size_t>(Gauge::kRam)][0], Milliseconds(4'000));
  EXPECT_EQ(replay.length, Milliseconds(4'000));
}

}  // namespace
}  // namespace headroom::memory
