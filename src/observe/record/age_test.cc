#include "observe/record/age.h"

#include <gmock/gmock.h>

#include "observe/testing/record_fixture.h"

namespace headroom::record {
namespace {

TEST(Stay, KeepsFirstHighestLowestAndEveryChange) {
  std::vector<AgingRow> rows;
  for (int s = 0; s < 180; ++s)
    rows.push_back({s * 1000, 0, 100.0 + s % 60, 100.0 + s % 60, s >= 90 ? 1 : 0, false});
  rows[75].high = 999;
  rows[76].low = 1;
  const auto stay = Stay(rows, std::chrono::minutes(1));
  std::vector<int> kept;
  for (int s = 0; s < 180; ++s) {
    if (stay[static_cast<std::size_t>(s)]) kept.push_back(s);
  }
  EXPECT_THAT(kept, testing::ElementsAre(0, 59, 60, 75, 76, 90, 120, 179));
}

TEST(Stay, PartsAreThinnedOutEachForItself) {
  std::vector<AgingRow> rows;
  for (int s = 0; s < 60; ++s) {
    for (int part : {1, 2})
      rows.push_back({s * 1000, part, double(s), {}, 0, s == 30 && part == 2});
  }
  const auto stay = Stay(rows, std::chrono::minutes(1));
  EXPECT_TRUE(stay[0] && stay[1] && stay[118] && stay[119]);  // first and highest of both
  EXPECT_TRUE(stay[61] && stay[63]);                          // gone, and back
  EXPECT_EQ(std::ranges::count(stay, true), 6);
  EXPECT_TRUE(Stay({}, std::chrono::minutes(1)).empty());
}

class AgeTest : public testing::Test {
 protected:
  // A run of so many hours with a peak in each; ended as long ago as `ago` before `now_`.
  void Record(Milliseconds from, int hours) {
    auto opened = Store::Open(path_, record::Run{0, "b", "t", "1", "", 1, AtMs(from.count()), {}});
    ASSERT_TRUE(opened);
    Thinner thinner;
    ASSERT_TRUE(opened->store->Begin());
    std::int64_t ms = from.count();
    for (; ms < from.count() + hours * 3'600'000; ms += 5'000) {
      const bool peak = ms % 3'600'000 == 1'800'000;
      ASSERT_TRUE(opened->store->Put(
          thinner.Push(SampleAt(ms, MiB(peak ? 3999 : 3000 + ms / 5000 * 37 % 100)))));
      if (peak) {
        ASSERT_TRUE(opened->store->Put(ErrorEvent(AtMs(ms), "sticky", 719, "x")));
      }
    }
    ASSERT_TRUE(opened->store->Commit());
    ASSERT_TRUE(opened->store->End(AtMs(ms)));
    run_ = opened->store->run();
  }
  void Age(std::int64_t now_ms, std::int64_t current) {
    auto store = Store::Open(path_, record::Run{0, "b", "t", "1", "", 1, AtMs(now_ms), {}});
    ASSERT_TRUE(store);
    AgeOptions options{std::chrono::hours(2), std::chrono::hours(10), std::chrono::hours(24)};
    ASSERT_TRUE(AgeRecord(store->store->database(), options, AtMs(now_ms),
                          current ? current : store->store->run()));
  }
  std::int64_t Count(const char* table) {
    auto database = sql::Database::Open(path_, sql::Access::kReadOnly);
    return *database->Integer(fmt::format("SELECT count(*) FROM {}", table));
  }
  Folder folder_;
  std::filesystem::path path_ = folder_.path() / "r.db";
  std::int64_t run_ = 0;
};

TEST_F(AgeTest, PeaksSurviveAndSoDoesTheTimeThatWasKnown) {
  Record(Milliseconds(0), 6);
  const std::int64_t before = Count("card_sample");
  Age(7 * 3'600'000, 0);
  EXPECT_LT(Count("card_sample"), before / 2);
  auto reader = Reader::Open({path_});
  ASSERT_TRUE(reader);
  const auto all = All(**reader);
  EXPECT_THAT((*reader)->damage(), testing::ElementsAre());
  int peaks = 0;
  Milliseconds known{};
  for (const Sample& sample : Samples(all)) {
    known += sample.holds;
    peaks += !sample.gpus.empty() && sample.gpus[0].used == MiB(3999) ? 1 : 0;
  }
  EXPECT_GE(peaks, 6);
  EXPECT_EQ(known, std::chrono::hours(6));
  EXPECT_EQ(Events(all).size(), 6u);
  // Once more changes nothing.
  const std::int64_t once = Count("card_sample");
  Age(7 * 3'600'000, 0);
  EXPECT_EQ(Count("card_sample"), once);
}

TEST_F(AgeTest, TheOldestIsDeleted) {
  Record(Milliseconds(0), 1);
  Record(Milliseconds(30 * 3'600'000), 1);
  Age(32 * 3'600'000, 0);
  auto reader = Reader::Open({path_});
  ASSERT_TRUE(reader);
  EXPECT_EQ((*reader)->runs().front()->id + 0, 1);
  EXPECT_EQ((*reader)->runs().front()->began, AtMs(30 * 3'600'000));
  EXPECT_EQ(Count("event"), 1);
}

// The wall clock in the past (a dead battery) must not delete, and what runs now is judged by the
// monotonic clock whatever the wall says.
TEST_F(AgeTest, AWrongClockDeletesNothing) {
  Record(Milliseconds(0), 1);
  const std::int64_t before = Count("card_sample");
  auto store = Store::Open(path_, record::Run{0, "b", "t", "1", "", 1, AtMs(3'600'000), {}});
  AgeOptions options{std::chrono::hours(2), std::chrono::hours(10), std::chrono::hours(24)};
  Moment past = AtMs(3'600'000);
  past.wall = WallOf(1000);
  ASSERT_TRUE(AgeRecord(store->store->database(), options, past, store->store->run()));
  EXPECT_EQ(Count("card_sample"), before);
  Moment future = AtMs(3'600'000);
  future.wall += std::chrono::hours(24 * 365);
  ASSERT_TRUE(AgeRecord(store->store->database(), options, future, run_));
  EXPECT_EQ(Count("card_sample"), before);
}

}  // namespace
}  // namespace headroom::record
