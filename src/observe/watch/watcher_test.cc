#include "observe/watch/watcher.h"

#include <gmock/gmock.h>

#include "observe/testing/fixture.h"
#include "observe/watch/sample_of.h"
#include "observe/watch/top.h"

namespace headroom::watch {
namespace {

using memory::Gauge;
using memory::Zone;
using probe::FakeRoot;
using record::EventKind;
using record::Key;
using testing::HasSubstr;
using testing::Not;

class FakeGpus : public probe::DeviceSource {
 public:
  probe::DeviceReport Ask(std::span<const pid_t>, bool rest) override {
    rested = rest;
    probe::DeviceReport report;
    report.state = state;
    report.devices = devices;
    report.measured_at = MonoTime();
    return report;
  }
  probe::ProbeState state = probe::ProbeState::kFresh;
  std::vector<probe::Device> devices;
  bool rested = false;
};

probe::Device Gpu(Bytes used, std::vector<probe::DeviceUse> processes) {
  probe::Device gpu;
  gpu.pci = "0000:01:00.0", gpu.name = "A GPU", gpu.uuid = "GPU-1", gpu.driver = "550";
  gpu.state = probe::DeviceState::kActive;
  gpu.total = MiB(4096), gpu.used = used;
  gpu.processes = std::move(processes);
  return gpu;
}

probe::Files ServerFiles(pid_t pid, int started, int anon_kib) {
  const std::string folder = fmt::format("proc/{}/", pid);
  return {
      {folder + "stat",
       fmt::format("{} (server) S 1 1 1 0 -1 1 1 2 3 4 5 6 7 8 20 0 1 0 {} 1 9 1\n", pid, started)},
      {folder + "cmdline", std::string("server\0-x\0", 10)},
      {folder + "status", fmt::format("Name:\tserver\nVmRSS:\t{} kB\nRssAnon:\t{} kB\nRssFile:\t0 "
                                      "kB\nRssShmem:\t0 kB\nVmSwap:\t0 kB\n",
                                      anon_kib, anon_kib)},
      {folder + "cgroup", "0::/svc\n"}};
}

class WatcherTest : public testing::Test {
 protected:
  WatcherTest() {
    root_.Write({{"proc/self/cgroup", "0::/us\n"},
                 {"proc/meminfo",
                  "MemTotal: 32000000 kB\nMemFree: 1 kB\nMemAvailable: 20000000 "
                  "kB\nSwapTotal: 100 kB\nSwapFree: 60 kB\n"},
                 {"sys/fs/cgroup/us/memory.current", "99\n"},
                 {"sys/fs/cgroup/svc/memory.current", "5000\n"},
                 {"sys/fs/cgroup/svc/memory.events", "oom_kill 0\n"}});
  }
  Watcher Make(const char* target, const char* gpus = "all") {
    return Watcher({.target = *ParseTarget(target), .root = root_.path(), .gpus = gpus}, gpus_,
                   clock_,
                   [](const auto&) -> Result<std::string> { return Fail(Errc::kNotFound, ""); });
  }
  FakeRoot root_;
  FakeGpus gpus_;
  FakeClock clock_;
};

TEST_F(WatcherTest, ATargetWithItsGroupAndItsShareOfTheGpu) {
  root_.Write(ServerFiles(50, 100, 800'000));
  gpus_.devices = {Gpu(MiB(3740), {{50, MiB(3600)}, {60, MiB(100)}})};
  Watcher watcher = Make("50");
  const Observation seen = watcher.Look();
  EXPECT_EQ(seen.sample.service.ram, KiB(800'000));
  EXPECT_EQ(seen.sample.service.cgroup_current, Bytes(5000));
  EXPECT_EQ(seen.sample.host.swap_used, KiB(40));
  ASSERT_EQ(seen.sample.gpus.size(), 1u);
  EXPECT_EQ(seen.sample.gpus[0].own, MiB(3600));
  EXPECT_EQ(seen.sample.gpus[0].others(), MiB(140));
  ASSERT_EQ(seen.sample.processes.size(), 1u);
  EXPECT_EQ(seen.sample.processes[0].role, "server");
  EXPECT_EQ(seen.sample.processes[0].gpu, MiB(3600));
  EXPECT_EQ(seen.sample.service.zones[static_cast<std::size_t>(Gauge::kVram)], Zone::kDanger);
  EXPECT_EQ(seen.sample.service.zones[static_cast<std::size_t>(Gauge::kRam)], Zone::kSafe);
  ASSERT_EQ(seen.events.size(), 2u);
  EXPECT_EQ(seen.events[0].Text(Key::kStep), "found");
  EXPECT_EQ(seen.events[1].Text(Key::kStep), "kernel_log");
  EXPECT_EQ(watcher.Look().events.size(), 0u) << "both are said once";
  ASSERT_EQ(seen.owners.size(), 2u);
  EXPECT_TRUE(seen.owners[0].ours);
  EXPECT_FALSE(seen.owners[1].ours);
}

TEST_F(WatcherTest, ItsEndAndItsRestart) {
  root_.Write(ServerFiles(50, 100, 1000));
  Watcher watcher = Make("50");
  watcher.Look();
  root_.Remove("proc/50");
  clock_.Advance(Milliseconds(1000));
  Observation seen = watcher.Look();
  ASSERT_EQ(seen.events.size(), 1u);
  EXPECT_EQ(seen.events[0].Text(Key::kStep), "ended");
  EXPECT_EQ(seen.sample.service.ram, Bytes(0));
  EXPECT_TRUE(seen.sample.processes.empty());
  root_.Write(ServerFiles(51, 200, 2000));
  clock_.Advance(Milliseconds(1000));
  seen = watcher.Look();
  ASSERT_EQ(seen.events.size(), 1u);
  EXPECT_EQ(seen.events[0].Text(Key::kStep), "restarted");
  EXPECT_EQ(seen.events[0].Integer(Key::kPid), 51);
  EXPECT_EQ(seen.sample.service.ram, KiB(2000));
}

TEST_F(WatcherTest, ZonesOomAndLostGpusAreEvents) {
  root_.Write(ServerFiles(50, 100, 1000));
  gpus_.devices = {Gpu(MiB(1000), {})};
  Watcher watcher = Make("50");
  watcher.Look();
  gpus_.devices = {Gpu(MiB(4000), {})};
  root_.Write({{"sys/fs/cgroup/svc/memory.events", "oom_kill 2\n"}});
  clock_.Advance(Milliseconds(1000));
  Observation seen = watcher.Look();
  ASSERT_EQ(seen.events.size(), 2u);
  EXPECT_EQ(seen.events[0].kind, EventKind::kZone);
  EXPECT_EQ(seen.events[0].Text(Key::kTo), "critical");
  EXPECT_EQ(seen.events[1].Text(Key::kClass), "oom_kill");
  EXPECT_EQ(seen.events[1].Integer(Key::kCount), 2);
  gpus_.devices[0].state = probe::DeviceState::kLost;
  gpus_.devices[0].used.reset();
  seen = watcher.Look();
  ASSERT_FALSE(seen.events.empty());
  EXPECT_EQ(seen.events.back().kind, EventKind::kDevice);
  EXPECT_EQ(seen.events.back().Text(Key::kTo), "lost");
}

TEST_F(WatcherTest, ALateProbeHasNoNumbers) {
  root_.Write(ServerFiles(50, 100, 1000));
  gpus_.devices = {Gpu(MiB(1000), {{50, MiB(500)}})};
  gpus_.state = probe::ProbeState::kLate;
  const Observation seen = Make("50").Look();
  EXPECT_EQ(seen.sample.gpus[0].state, record::GpuState::kLate);
  EXPECT_FALSE(seen.sample.gpus[0].used);
  EXPECT_FALSE(seen.sample.processes[0].gpu);
}

TEST_F(WatcherTest, GpusAreChosen) {
  gpus_.devices = {Gpu(MiB(1), {})};
  EXPECT_EQ(Make("50", "01:00").Look().sample.gpus.size(), 1u);
  EXPECT_EQ(Make("50", "02:00").Look().sample.gpus.size(), 0u);
  EXPECT_FALSE(gpus_.rested);
  EXPECT_EQ(Make("50", "none").Look().sample.gpus.size(), 0u);
  EXPECT_TRUE(gpus_.rested);
}

TEST_F(WatcherTest, AThousandProcessesAreASumAndTheLargest) {
  for (int i = 0; i < 60; ++i) {
    root_.Write(ServerFiles(1000 + i, 10 + i, 100 + i));
    root_.Write({{"sys/fs/cgroup/svc/cgroup.procs", [&] {
                    std::string all;
                    for (int n = 0; n <= i; ++n) all += fmt::format("{}\n", 1000 + n);
                    return all;
                  }()}});
  }
  const Observation seen = Make("/svc").Look();
  EXPECT_EQ(seen.processes, 60u);
  EXPECT_EQ(seen.sample.processes.size(), 32u);
  Bytes sum;
  for (const auto& process : seen.sample.processes) sum += *process.counted;
  EXPECT_EQ(sum, *seen.sample.service.ram);
  EXPECT_EQ(seen.sample.processes.back().role, "others");
}

std::vector<Point> Line(int n, double start, double per_second, double jitter = 0) {
  std::vector<Point> points;
  for (int i = 0; i < n; ++i)
    points.push_back({MonoTime(std::chrono::seconds(1000 + i)),
                      start + per_second * i + jitter * ((i * 7919) % 13 - 6)});
  return points;
}

TEST(TimeToLimitTest, AtThePresentSlope) {
  const auto left = TimeToLimit(Line(120, 0, 10), 10 * 119 + 600);
  ASSERT_TRUE(left);
  EXPECT_NEAR(static_cast<double>(left->count()), 60'000, 1'000);
  // Noise around a rise is a rise, noise around nothing is none, and one jump is no slope.
  EXPECT_TRUE(TimeToLimit(Line(300, 0, 10, 20), 1e5));
  EXPECT_FALSE(TimeToLimit(Line(300, 500, 0, 20), 1e5));
  EXPECT_FALSE(TimeToLimit(Line(300, 500, -1), 1e5));
  auto jump = Line(300, 500, 0);
  for (std::size_t i = 250; i < jump.size(); ++i) jump[i].value += 1000;
  EXPECT_FALSE(TimeToLimit(jump, 1e5));
  EXPECT_FALSE(TimeToLimit(Line(20, 0, 10), 1e5)) << "too short";
  EXPECT_FALSE(TimeToLimit(Line(120, 0, 0.0001), 1e9)) << "days away";
  EXPECT_EQ(TimeToLimit(Line(120, 0, 10), 5), Milliseconds(0));
  EXPECT_FALSE(TimeToLimit({}, 5));
}

TEST(SparklineTest, ShowsPeaksAndIsFlatWhereNothingMoved) {
  const std::vector<double> flat(20, 100.0);
  EXPECT_EQ(Sparkline(flat, 5, 10), "▁▁▁▁▁");
  std::vector<double> peak(100, 1.0);
  peak[52] = 9;
  EXPECT_EQ(Sparkline(peak, 4, 0.1), "▁▁█▁");
  EXPECT_EQ(Sparkline(std::vector<double>{1, 2}, 4, 0), "  ▁█");
  EXPECT_EQ(Sparkline({}, 3, 0), "   ");
}

TEST(TopTest, FitsAnyScreenAndSaysWhatMatters) {
  TopModel model("llama-server");
  EXPECT_THAT(Render(model.state(), 80, 24, false)[1], HasSubstr("waiting"));
  model.Know({"0000:01:00.0", "A GPU", "", ""});
  for (int s = 0; s < 120; ++s) {
    record::Sample sample;
    sample.at = {MonoTime(std::chrono::seconds(100 + s)),
                 WallTime(std::chrono::seconds(1'767'225'600 + s))};
    sample.host = {GiB(31), GiB(20), {}, {}, 1.0, 0.0};
    sample.service.ram = MiB(790 + s);
    sample.service.tier = "canary";
    sample.gpus = {
        {"0000:01:00.0", record::GpuState::kActive, MiB(4096), MiB(3000 + 5 * s), MiB(2900)}};
    sample.processes = {{7, "small", MiB(1), MiB(1), {}, {}, {}},
                        {8, "large\x1b[2J", MiB(9), MiB(9), {}, {}, {}}};
    FillZones(sample, {});
    model.Add(std::move(sample));
  }
  model.Owners({{"0000:01:00.0", 99, "game", MiB(700), false}});
  model.Note(record::ErrorEvent({}, "sticky", 719, "worker"));
  const TopState state = model.state();
  EXPECT_EQ(state.processes[0].pid, 8);
  ASSERT_TRUE(state.gauges[0].to_limit);
  EXPECT_NEAR(static_cast<double>(state.gauges[0].to_limit->count()), (4096 - 3595) / 5.0 * 1000,
              2000);
  std::string all;
  for (const std::string& line : Render(state, 100, 40, false)) all += line + "\n";
  for (const char* text : {"llama-server", "A GPU", "danger", "limit in", "ours 2.8 GiB", "game",
                           "719", "tier canary"})
    EXPECT_THAT(all, HasSubstr(text));
  EXPECT_THAT(all, Not(HasSubstr("\x1b")));
  for (const int width : {20, 40, 79, 200}) {
    for (const int height : {1, 5, 24, 60}) {
      const auto lines = Render(state, width, height, false);
      EXPECT_LE(lines.size(), static_cast<std::size_t>(height));
      for (const std::string& line : lines) {
        EXPECT_LE(std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; }), width)
            << line;
      }
    }
  }
  EXPECT_THAT(ToJson(state), HasSubstr("\"zone\":\"danger\""));
}

}  // namespace
}  // namespace headroom::watch
