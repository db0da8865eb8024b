#include "observe/record/thin.h"

#include <gmock/gmock.h>

#include <random>

#include "observe/testing/record_fixture.h"

namespace headroom::record {
namespace {

TEST(Thinner, KeepsTheFirstWhole) {
  Thinner thinner;
  const Rows rows = thinner.Push(SampleAt(0));
  EXPECT_TRUE(rows.host && rows.service);
  EXPECT_EQ(rows.gpus.size(), 1u);
  EXPECT_EQ(rows.processes.size(), 2u);
  EXPECT_EQ(rows.due, Milliseconds(15'000));
}

TEST(Thinner, KeepsNothingThatStaysWithinItsBand) {
  Thinner thinner;
  thinner.Push(SampleAt(0));
  EXPECT_TRUE(thinner.Push(SampleAt(100, MiB(3741))).empty());
  // The band is around what was kept, so a slow creep is kept too.
  for (int i = 0; i <= 4; ++i)
    EXPECT_TRUE(thinner.Push(SampleAt(200 + i, MiB(3740 + i))).empty()) << i;
  const Rows rows = thinner.Push(SampleAt(300, MiB(3745)));
  EXPECT_EQ(rows.gpus.size(), 1u);
  EXPECT_FALSE(rows.host || rows.service || !rows.processes.empty());
}

TEST(Thinner, KeepsEveryEdge) {
  Thinner thinner;
  Sample sample = SampleAt(0);
  thinner.Push(sample);
  sample.at = AtMs(100);
  sample.service.zones[0] = memory::Zone::kCritical;
  EXPECT_TRUE(thinner.Push(sample).service);
  sample.at = AtMs(200);
  sample.service.tier.clear();
  EXPECT_TRUE(thinner.Push(sample).service);
  sample.at = AtMs(300);
  sample.gpus[0].state = GpuState::kLost;
  EXPECT_EQ(thinner.Push(sample).gpus.size(), 1u);
  sample.at = AtMs(400);
  sample.host.psi_full.reset();
  EXPECT_TRUE(thinner.Push(sample).host);
}

TEST(Thinner, SaysWhatIsGone) {
  Thinner thinner;
  thinner.Push(SampleAt(0));
  Sample sample = SampleAt(100);
  sample.processes.pop_back();
  sample.gpus.clear();
  Rows rows = thinner.Push(sample);
  EXPECT_THAT(rows.gone_gpus, testing::ElementsAre("0000:01:00.0"));
  EXPECT_THAT(rows.gone_processes, testing::ElementsAre(ProcessKey("worker cuda", 101)));
  sample.at = AtMs(200);
  EXPECT_TRUE(thinner.Push(sample).empty());
}

TEST(Thinner, HasAHeartbeatAndIsWholeAgainAfterAGap) {
  Thinner thinner;
  thinner.Push(SampleAt(0));
  EXPECT_TRUE(thinner.Push(SampleAt(9'900)).empty());
  const Rows beat = thinner.Push(SampleAt(10'000));
  EXPECT_TRUE(beat.host);
  EXPECT_FALSE(beat.service);
  const Rows after = thinner.Push(SampleAt(40'000));
  EXPECT_TRUE(after.host && after.service && after.gpus.size() == 1 && after.processes.size() == 2);
}

TEST(Thinner, RemembersPssBetweenItsReadings) {
  Thinner thinner;
  Sample sample = SampleAt(0);
  thinner.Push(sample);
  sample.at = AtMs(100);
  sample.processes[0].pss.reset();
  EXPECT_TRUE(thinner.Push(sample).empty());
  sample.at = AtMs(200);
  sample.processes[0].counted = MiB(80);
  const Rows rows = thinner.Push(sample);
  ASSERT_EQ(rows.processes.size(), 1u);
  EXPECT_EQ(rows.processes[0].pss, MiB(45));
}

// Whatever happens, a day stays within its bytes: noise on everything at 10 Hz, a zone that flaps.
TEST(Thinner, ADayHasALimit) {
  Thinner thinner;
  std::mt19937 random(1);
  double bytes = 0;
  std::size_t rows = 0;
  for (std::int64_t ms = 0; ms < 86'400'000; ms += 100) {
    Sample sample = SampleAt(ms, MiB(2000 + static_cast<int>(random() % 1000)),
                             MiB(500 + static_cast<int>(random() % 500)));
    sample.host.available = MiB(static_cast<int>(random() % 20'000));
    sample.service.zones[0] = static_cast<memory::Zone>(random() % 4);
    for (ProcessSample& process : sample.processes)
      process.counted = MiB(static_cast<int>(random() % 700));
    const Rows kept = thinner.Push(sample);
    bytes += kept.bytes();
    rows += kept.empty() ? 0 : 1;
  }
  EXPECT_LT(bytes, 6.5e6);
  EXPECT_GT(bytes, 3e6);
  EXPECT_GT(rows, 8'000u);  // and it never falls silent
}

TEST(Thinner, ManyProcessesHaveALimitToo) {
  Thinner thinner;
  double bytes = 0;
  for (std::int64_t ms = 0; ms < 86'400'000; ms += 1'000) {
    Sample sample = SampleAt(ms);
    for (int i = 0; i < 64; ++i)
      sample.processes.push_back(
          {1000 + i, "child", MiB(10), MiB(5 + (ms / 1000 + i) % 50), {}, {}, {}});
    bytes += thinner.Push(sample).bytes();
  }
  EXPECT_LT(bytes, 8.5e6);
}

TEST(AllowanceTest, FillsWithTimeUpToItsCapacity) {
  Allowance allowance(86'400, 10);  // one byte a second
  const MonoTime start = AtMs(0).mono;
  EXPECT_EQ(allowance.Left(start), 10);
  allowance.Take(12);
  EXPECT_EQ(allowance.Left(start), -2);
  EXPECT_NEAR(allowance.Left(start + Milliseconds(5'000)), 3, 1e-6);
  EXPECT_EQ(allowance.Left(start + std::chrono::hours(5)), 10);
  EXPECT_EQ(allowance.Left(start), 10);  // backwards: as if it stood still
}

}  // namespace
}  // namespace headroom::record
