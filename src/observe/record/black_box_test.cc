#include "observe/record/black_box.h"

#include <gmock/gmock.h>

#include "observe/testing/record_fixture.h"

namespace headroom::record {
namespace {

TEST(BlackBoxTest, HoldsTheLastTenMinutesOfEveryChange) {
  BlackBox box;
  for (std::int64_t ms = 0; ms <= 1'200'000; ms += 100)
    box.Add(SampleAt(ms, MiB(3000) + Bytes(ms)));  // less than any band
  EXPECT_GE(box.size(), 6'000u);
  EXPECT_LE(box.size(), 6'002u);
  EXPECT_LE(box.memory(), MiB(4));
  const auto rows = box.Take(1e12);
  ASSERT_FALSE(rows.empty());
  EXPECT_EQ(rows.front().at, AtMs(600'000));
  EXPECT_EQ(rows.back().at, AtMs(1'200'000));
  EXPECT_EQ(box.size(), 0u);
  EXPECT_EQ(box.memory(), Bytes(0));
}

TEST(BlackBoxTest, AQuietMachineTakesLittle) {
  BlackBox box;
  for (std::int64_t ms = 0; ms <= 600'000; ms += 100) box.Add(SampleAt(ms));
  EXPECT_LT(box.size(), 100u);
}

TEST(BlackBoxTest, HasALimitInBytesAndGivesTheNewestThatFit) {
  BlackBox box({.reach = std::chrono::minutes(10), .most = KiB(64)});
  for (std::int64_t ms = 0; ms <= 600'000; ms += 100) box.Add(SampleAt(ms, MiB(3000) + Bytes(ms)));
  EXPECT_LE(box.memory(), KiB(64));
  EXPECT_GT(box.size(), 100u);
  const auto rows = box.Take(420);
  EXPECT_GE(rows.size(), 5u);
  EXPECT_LE(rows.size(), 10u);
  EXPECT_EQ(rows.back().at, AtMs(600'000));
}

TEST(BlackBoxTest, KnowsWhatIsATrigger) {
  const auto is = [](EventKind kind) { return IsTrigger(Event{kind, {}, {}}); };
  EXPECT_TRUE(is(EventKind::kZone));
  EXPECT_TRUE(is(EventKind::kError));
  EXPECT_TRUE(is(EventKind::kKernel));
  EXPECT_FALSE(is(EventKind::kUtterance));
  EXPECT_FALSE(is(EventKind::kWorkerExit));
  EXPECT_TRUE(IsTrigger(Event{EventKind::kWorkerExit, {}, {}}.With(Key::kSignal, 9)));
  EXPECT_FALSE(IsTrigger(Event{EventKind::kWorkerExit, {}, {}}.With(Key::kExitCode, 0)));
}

TEST(CoalesceTest, EqualEventsOfASecondAreOne) {
  std::vector<Event> events;
  for (int i = 0; i < 100; ++i) {
    events.push_back(ErrorEvent(AtMs(i * 25), "sticky", 719, "worker"));
    if (i % 10 == 0) events.push_back(ErrorEvent(AtMs(i * 25), "out_of_memory", 2, "worker"));
  }
  const auto merged = Coalesce(events);
  std::int64_t sticky = 0, memory = 0;
  for (const Event& event : merged)
    (event.Integer(Key::kCode) == 719 ? sticky : memory) += event.count();
  EXPECT_EQ(sticky, 100);
  EXPECT_EQ(memory, 10);
  EXPECT_EQ(merged.size(), 6u);  // 2.5 s
  EXPECT_EQ(merged[0].at, AtMs(0));
  EXPECT_EQ(merged[0].count(), 40);
  EXPECT_EQ(Coalesce(merged).size(), merged.size());
}

}  // namespace
}  // namespace headroom::record
