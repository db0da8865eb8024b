// Our own record through the writer, its dead-band and the reader to findings: what went in must
// come out, though most samples were never written.
#include "observe/analyze/flight_record.h"

#include <gmock/gmock.h>

#include "observe/analyze/analyze.h"
#include "observe/testing/record_fixture.h"

namespace headroom::analyze {
namespace {

using record::EventKind;
using record::Key;
namespace fs = std::filesystem;

constexpr std::int64_t kSecond = 1'000, kHour = 3'600'000;

record::Event EventAt(EventKind kind, std::int64_t ms) {
  return {kind, record::AtMs(ms), {}};
}
record::Event KernelLog(std::int64_t ms, const char* reason) {
  return EventAt(EventKind::kRecording, ms)
      .With(Key::kStep, "kernel_log")
      .With(Key::kReason, reason);
}

// Six hours: the worker leaks 12 MiB/h, for half an hour another program takes 1200 MiB of the
// GPU, and for twenty minutes nobody recorded.
class SixHours : public testing::Test {
 protected:
  static record::Sample At(std::int64_t ms) {
    const Bytes leaked((ms * (12 << 20)) / kHour + (ms / kSecond % 7) * 4096);
    const bool game = ms >= 2 * kHour && ms < 2 * kHour + kHour / 2;
    record::Sample sample = record::SampleAt(ms, game ? MiB(3300) : MiB(2100), MiB(600) + leaked);
    sample.gpus[0].own = MiB(2000);
    sample.processes[0].counted = MiB(100);
    sample.processes[1].counted = MiB(500) + leaked;
    return sample;
  }
  void SetUp() override {
    auto writer = record::Writer::Open(record::OptionsFor(path_), clock_);
    ASSERT_TRUE(writer);
    (*writer)->Note(KernelLog(0, "followed"));
    int queued = 0;
    for (std::int64_t ms = 0; ms <= 6 * kHour; ms += 2 * kSecond) {
      if (ms > 4 * kHour && ms < 4 * kHour + kHour / 3) continue;
      (*writer)->Add(At(ms));
      if (++queued % 2000 == 0) {
        ASSERT_TRUE((*writer)->Flush(Milliseconds(60'000)));
      }
    }
    (*writer)->Note(record::ErrorEvent(record::AtMs(5 * kHour), "sticky", 719, "worker"));
    ASSERT_TRUE((*writer)->Flush(Milliseconds(60'000)));
  }
  Evidence Read(ReadOptions options = {}) {
    Evidence evidence;
    const Result<> read = ReadFlightRecord(path_, options, evidence);
    EXPECT_TRUE(read);
    evidence.Finish();
    return evidence;
  }
  static Instant Time(std::int64_t ms) {
    return std::chrono::floor<Milliseconds>(record::AtMs(ms).wall);
  }
  static const Gauge& Find(const Findings& findings, GaugeKind kind) {
    return *std::ranges::find(findings.gauges, kind, &Gauge::kind);
  }

  struct Fixed : Clock {  // a run that begins when its samples do
    MonoTime Now() const override { return record::AtMs(0).mono; }
    WallTime WallNow() const override { return record::AtMs(0).wall; }
  } clock_;
  record::Folder folder_;
  fs::path path_ = folder_.path() / "r.db";
};

TEST_F(SixHours, ComeOutAsTheyWentIn) {
  const Evidence evidence = Read();
  const Findings findings = Analyze(evidence, {});
  const Gauge& vram = Find(findings, GaugeKind::kVram);
  EXPECT_EQ(vram.baseline, static_cast<double>(MiB(2100).n));
  EXPECT_EQ(vram.peak, static_cast<double>(MiB(3300).n));
  EXPECT_EQ(vram.peak_at, Time(2 * kHour));
  const auto near = [](Milliseconds value, std::int64_t wanted, std::int64_t by) {
    return std::abs(value.count() - wanted) <= by;
  };
  EXPECT_TRUE(near(vram.unknown, kHour / 3, 30 * kSecond)) << vram.unknown.count();
  EXPECT_TRUE(near(vram.known, 6 * kHour - kHour / 3, 30 * kSecond)) << vram.known.count();
  const auto warning = vram.zone_time[static_cast<std::size_t>(memory::Zone::kWarning)];
  EXPECT_TRUE(near(warning, kHour / 2, 10 * kSecond)) << warning.count();

  bool leak = false;
  for (const LeakFinding& finding : findings.leaks) {
    if (findings.gauges[finding.gauge].kind != GaugeKind::kRam) continue;
    EXPECT_EQ(finding.verdict, LeakVerdict::kLeak) << finding.statement.text;
    EXPECT_NEAR(finding.slope / (12 << 20), 1, 0.1);
    leak = true;
  }
  EXPECT_TRUE(leak);
  EXPECT_EQ(findings.errors, 1u);
}

TEST_F(SixHours, WhoHeldIt) {
  const Evidence evidence = Read();
  const Findings findings = Analyze(evidence, {});
  std::map<std::string, std::map<std::string, double>> held;
  for (const Breakdown& breakdown : findings.breakdowns) {
    for (const Part& part : breakdown.parts)
      held[breakdown.title][part.owner] = part.bytes / 1048576;
  }
  auto& gpu = held["VRAM of 0000:01:00.0 at its peak"];
  EXPECT_EQ(gpu["others"], 1300);
  EXPECT_EQ(gpu["headroom"], 2000);
  auto& ram = held["RAM of headroom at baseline"];
  EXPECT_EQ(ram["daemon"], 100);
  EXPECT_NEAR(ram["worker cuda"], 536, 36);
}

TEST_F(SixHours, AnHourOfThem) {
  ReadOptions options;
  options.from = Time(kHour);
  options.to = Time(2 * kHour);
  const Evidence evidence = Read(options);
  const Findings findings = Analyze(evidence, {});
  EXPECT_GE(findings.from, Time(kHour));
  EXPECT_LE(findings.to, Time(2 * kHour));
  EXPECT_EQ(Find(findings, GaugeKind::kVram).peak, static_cast<double>(MiB(2100).n));
  EXPECT_EQ(findings.errors, 0u);
  EXPECT_TRUE(evidence.sources()[0].kernel)
      << "recorded at the beginning of the run, not in the range";
}

TEST(FlightRecordTest, WithoutTheKernelsLogItsSilenceMeansNothing) {
  for (const char* reason : {"", "not readable", "followed"}) {
    const record::Folder folder;
    const fs::path path = folder.path() / "r.db";
    {
      auto writer = record::Writer::Open(record::OptionsFor(path));
      (*writer)->Add(record::SampleAt(0));
      if (*reason) (*writer)->Note(KernelLog(0, reason));
      ASSERT_TRUE((*writer)->Flush());
    }
    Evidence evidence;
    ASSERT_TRUE(ReadFlightRecord(path, {}, evidence));
    EXPECT_EQ(evidence.sources()[0].kernel, std::string_view(reason) == "followed") << reason;
  }
}

TEST(FlightRecordTest, AProcessThatASignalEndedIsAnErrorAndOneThatEndsIsNot) {
  const record::Folder folder;
  const fs::path path = folder.path() / "r.db";
  {
    auto writer = record::Writer::Open(record::OptionsFor(path));
    const auto exited = [](std::int64_t ms) {
      return EventAt(EventKind::kTarget, ms).With(Key::kStep, "exited").With(Key::kName, "cc1plus");
    };
    (*writer)->Note(exited(1'000).With(Key::kExitCode, 0));
    (*writer)->Note(exited(2'000).With(Key::kSignal, 15));
    (*writer)->Note(exited(3'000).With(Key::kSignal, 9));
    ASSERT_TRUE((*writer)->Flush());
  }
  Evidence evidence;
  ASSERT_TRUE(ReadFlightRecord(path, {}, evidence));
  evidence.Finish();
  std::vector<std::string> seen;
  for (const Event& event : evidence.events()) {
    const EventType& type = evidence.type(event);
    seen.push_back(std::string(Name(type.kind)) + " " + type.subject + " " + type.code);
  }
  EXPECT_THAT(seen, testing::ElementsAre("stop cc1plus ", "stop cc1plus ", "error cc1plus 9"));
}

}  // namespace
}  // namespace headroom::analyze
