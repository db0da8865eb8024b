// The analysis on evidence made in memory. Whole records are in tests/report_test.py and
// tests/corpus_test.py.
#include "observe/analyze/analyze.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "observe/analyze/flight_record.h"
#include "observe/analyze/timeline.h"

namespace headroom::analyze {
namespace {

constexpr double kMiB = 1048576;

class Record {
 public:
  Record() { source_ = evidence.AddSource("x", "x"); }
  void Series(Metric metric, const char* device, Milliseconds from, Milliseconds to,
              Milliseconds step, const std::function<double(double)>& value) {
    const std::size_t series = evidence.SeriesFor(source_, metric, device, "");
    for (Milliseconds at = from; at < to; at += step)
      evidence.AddSample(series, Instant(at), value(static_cast<double>(at.count()) / 1000),
                         ++line_);
  }
  void Event(EventKind kind, Milliseconds at, Family family = Family::kOther,
             const char* code = "") {
    EventType type;
    type.kind = kind;
    type.family = family;
    type.code = code;
    type.name = code;
    evidence.AddEvent({Instant(at), evidence.TypeFor(type), {source_, ++line_}, 1});
  }
  Findings Find() {
    evidence.Finish();
    AnalyzeOptions options;
    options.zone = TimeZone::Fixed(Milliseconds(0));
    return Analyze(evidence, options);
  }
  Evidence evidence;

 private:
  std::uint32_t source_ = 0, line_ = 0;
};

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Analyze, NothingIsNoData) {
  Record record;
  const Findings findings = record.Find();
  EXPECT_EQ(findings.status, "NO DATA");
  EXPECT_TRUE(findings.hypotheses.empty());
  EXPECT_TRUE(findings.leaks.empty());
}

TEST(Analyze, ZoneTimesAreExactAndGapsAreUnknown) {
  Record record;
  record.Series(Metric::kVramTotal, "GPU 0", seconds(0), seconds(1), seconds(1),
                [](double) { return 1000 * kMiB; });
  const auto value = [](double s) {
    return (s < 600 ? 600 : s < 900 ? 700 : s < 1000 ? 851 : 950) * kMiB;
  };
  record.Series(Metric::kVramUsed, "GPU 0", seconds(0), seconds(1100), seconds(1), value);
  record.Series(Metric::kVramUsed, "GPU 0", seconds(2000), seconds(2101), seconds(1),
                [](double) { return 100 * kMiB; });
  const Findings findings = record.Find();
  ASSERT_EQ(findings.gauges.size(), 1u);
  const Gauge& gauge = findings.gauges[0];
  EXPECT_EQ(gauge.zone_time[0], seconds(700));  // 600 at first, 100 at last
  EXPECT_EQ(gauge.zone_time[1], seconds(300));
  EXPECT_EQ(gauge.zone_time[2], seconds(100));
  EXPECT_EQ(gauge.zone_time[3], seconds(100));  // its last reading holds for one interval
  EXPECT_EQ(gauge.unknown, seconds(900));
  EXPECT_EQ(gauge.known + gauge.unknown, seconds(2100));
  EXPECT_EQ(gauge.gaps.size(), 1u);
}

TEST(Analyze, ALeakNeedsTimeAndGrowth) {
  for (const double mib_per_hour : {0.0, 20.0}) {
    for (const int length : {10, 300}) {
      Record record;
      record.Series(Metric::kRam, "", seconds(0), minutes(length), seconds(10), [&](double s) {
        return (500 + mib_per_hour * s / 3600 + 3 * std::sin(s / 7)) * kMiB;
      });
      const Findings findings = record.Find();
      ASSERT_FALSE(findings.leaks.empty());
      const LeakFinding& leak = findings.leaks[0];
      if (length == 10) {
        EXPECT_EQ(leak.verdict, LeakVerdict::kTooShort);
        EXPECT_EQ(findings.status, "TOO SHORT");
      } else if (mib_per_hour == 0) {
        EXPECT_EQ(leak.verdict, LeakVerdict::kNoLeak) << leak.statement.text;
      } else {
        EXPECT_EQ(leak.verdict, LeakVerdict::kLeak) << leak.statement.text;
        EXPECT_NEAR(leak.slope / kMiB, mib_per_hour, 1);
        EXPECT_FALSE(leak.exhaustion) << "no limit is known, so none is reached";
      }
    }
  }
}

TEST(Analyze, BurstsAreCutAtPauses) {
  Record record;
  for (int i = 0; i < 10; ++i)
    record.Event(EventKind::kError, Milliseconds(1000 + 100 * i), Family::kSticky, "719");
  for (int i = 0; i < 7; ++i)
    record.Event(EventKind::kError, Milliseconds(100'000 + 100 * i), Family::kOutOfMemory, "2");
  record.Event(EventKind::kError, Milliseconds(500'000), Family::kLost, "46");
  const Findings findings = record.Find();
  EXPECT_EQ(findings.errors, 18u);
  ASSERT_EQ(findings.bursts.size(), 2u);
  EXPECT_EQ(findings.bursts[0].count, 10u);
  EXPECT_EQ(findings.bursts[0].causes, 1u);
  EXPECT_EQ(findings.bursts[1].first, Instant(Milliseconds(100'000)));
  EXPECT_EQ(findings.onset, Instant(Milliseconds(1000)));
}

TEST(Analyze, SharesAreOfOneAndConfidenceIsBelow) {
  Record record;
  record.Event(EventKind::kError, seconds(100), Family::kOutOfMemory, "2");
  const Findings findings = record.Find();
  double sum = 0;
  for (const Hypothesis& hypothesis : findings.hypotheses) sum += hypothesis.share;
  EXPECT_GT(sum, 0);
  EXPECT_LT(sum, 1) << "something else stays possible";
  EXPECT_LE(findings.confidence, findings.hypotheses[0].share);
  EXPECT_EQ(findings.hypotheses[0].id, "memory-exhausted");
}

TEST(Timeline, HeldAt) {
  const std::vector<Point> points = {
      {Instant(seconds(0)), 1, 1}, {Instant(seconds(10)), 2, 2}, {Instant(seconds(500)), 3, 3}};
  EXPECT_EQ(HeldAt(points, Instant(seconds(-1)), seconds(10)), nullptr);
  EXPECT_EQ(HeldAt(points, Instant(seconds(9)), seconds(10))->value, 1);
  EXPECT_EQ(HeldAt(points, Instant(seconds(15)), seconds(10))->value, 2);
  EXPECT_EQ(HeldAt(points, Instant(seconds(200)), seconds(10)), nullptr) << "a gap";
  EXPECT_EQ(HeldAt(points, Instant(seconds(500)), seconds(10))->value, 3);
  EXPECT_EQ(HeldAt(points, Instant(seconds(5000)), seconds(10)), nullptr);
}

}  // namespace
}  // namespace headroom::analyze
