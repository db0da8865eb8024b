#include "observe/probe/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "observe/probe/show.h"
#include "observe/testing/fixture.h"

namespace headroom::probe {
namespace {

constexpr double kThresholds[] = {0.70, 0.85, 0.95};

class FakeDevices : public DeviceSource {
 public:
  DeviceReport Ask(std::span<const pid_t> ours, bool rest) override {
    asked.assign(ours.begin(), ours.end());
    rested = rest;
    return report;
  }
  DeviceReport report;
  std::vector<pid_t> asked;
  bool rested = false;
};

Device Gpu() {
  Device gpu;
  gpu.pci = "0000:01:00.0";
  gpu.name = "Fake GPU";
  gpu.state = DeviceState::kActive;
  gpu.total = GiB(4), gpu.used = GiB(3);
  gpu.processes = {{10, GiB(1)}, {99, GiB(1)}};
  return gpu;
}

Files Machine() {
  const std::string status =
      "VmRSS: 2000 kB\nRssAnon: 100 kB\nRssFile: 1890 kB\nRssShmem: 10 kB\nVmSwap: 5 kB\n";
  return {{"proc/meminfo",
           "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 500 kB\nSwapTotal: 100 kB\n"
           "SwapFree: 40 kB\n"},
          {"proc/pressure/memory", "some avg10=1.00 avg60=0.00 avg300=0.00 total=5\n"},
          {"proc/self/cgroup", "0::/us\n"},
          {"sys/fs/cgroup/us/memory.current", "700\n"},
          {"sys/fs/cgroup/us/memory.max", "1000\n"},
          {"proc/10/status", status},
          {"proc/10/smaps_rollup", "Rss: 1 kB\nPss: 1 kB\nAnonymous: 1 kB\nSwap: 0 kB\n"},
          {"proc/11/status", status}};
}

TEST(Sampler, OneSampleHasEverything) {
  const FakeRoot root(Machine());
  FakeClock clock;
  FakeDevices devices;
  devices.report = {
      ProbeState::kFresh, {Gpu()}, clock.Now() - Milliseconds(30), Milliseconds(2), ""};
  Sampler sampler({.root = root.path()}, devices, clock);
  const std::vector<pid_t> ours = {10, 11};
  const Sample sample = sampler.Take(ours, false, clock.Now() - Milliseconds(7));
  EXPECT_EQ(sample.late, Milliseconds(7));
  EXPECT_EQ(devices.asked, ours);
  EXPECT_FALSE(devices.rested);
  ASSERT_EQ(sample.devices.size(), 1u);
  EXPECT_EQ(sample.devices[0].own, GiB(1));
  EXPECT_EQ(sample.devices[0].others, GiB(2));
  EXPECT_EQ(sample.devices_age, Milliseconds(30));
  EXPECT_EQ(sample.host->available, KiB(500));
  EXPECT_EQ(sample.host->swap->used(), KiB(60));
  EXPECT_DOUBLE_EQ(sample.host_pressure->some.avg10, 1);
  EXPECT_EQ(sample.cgroup->room, Bytes(300));
  EXPECT_EQ(sample.service_ram, KiB(230));
  EXPECT_EQ(sample.service_swap, KiB(10));
}

TEST(Sampler, RollupsAreReadNowAndThen) {
  const FakeRoot root(Machine());
  FakeClock clock;
  FakeDevices devices;
  Sampler sampler({.root = root.path()}, devices, clock);
  const std::vector<pid_t> ours = {10};
  const auto with_rollup = [&] {
    return sampler.Take(ours, true).processes.at(0).rollup.has_value();
  };
  EXPECT_TRUE(with_rollup());
  EXPECT_TRUE(devices.rested);
  clock.Advance(Milliseconds(9'999));
  EXPECT_FALSE(with_rollup());
  clock.Advance(Milliseconds(1));
  EXPECT_TRUE(with_rollup());
}

TEST(Sampler, AMachineThatTellsNothing) {
  const FakeRoot root;
  FakeDevices devices;
  devices.report.trouble = "not there";
  Sampler sampler({.root = root.path()}, devices);
  const Sample sample = sampler.Take(std::vector<pid_t>{10}, false);
  EXPECT_FALSE(sample.host || sample.host_pressure || sample.cgroup || sample.devices_age);
  EXPECT_EQ(sample.probe, ProbeState::kDown);
  EXPECT_NE(ToText(sample).find("not there"), std::string::npos);
  EXPECT_TRUE(nlohmann::json::parse(ToJson(sample)).is_object());
}

TEST(Sampler, ShownForPeopleAndScripts) {
  const FakeRoot root(Machine());
  FakeClock clock;
  FakeDevices devices;
  devices.report = {ProbeState::kFresh, {Gpu()}, clock.Now(), Milliseconds(2), ""};
  const std::vector<pid_t> ours = {10};
  const Sample sample = Sampler({.root = root.path()}, devices, clock).Take(ours, false);
  EXPECT_EQ(ToText(sample),
            "card       Fake GPU (0000:01:00.0, discrete): 3.0 GiB of 4.0 GiB used (75 %), ours "
            "1.0 GiB, others 2.0 GiB\n"
            "memory     500.0 KiB of 1000.0 KiB available\n"
            "swap       60.0 KiB of 100.0 KiB used\n"
            "pressure   some 1.00 %, full 0.00 % of the last 10 s\n"
            "cgroup     /us: 700 B used, high none, max 1000 B\n"
            "           300 B left under its limits\n"
            "process    10: 115.0 KiB (anon 100.0 KiB, shmem 10.0 KiB, swap 5.0 KiB), RSS 2.0 MiB, "
            "PSS 1.0 KiB\n");
  const auto json = nlohmann::json::parse(ToJson(sample));
  EXPECT_EQ(json["devices"][0]["others"], GiB(2).n);
  EXPECT_EQ(json["cgroup"]["effective_high"], nullptr);
  EXPECT_EQ(json["service_ram"], KiB(115).n);
}

TEST(SplitUse, WhatIsUnknownStaysUnknown) {
  const std::vector<pid_t> ours = {10};
  Device gpu = Gpu();
  gpu.processes[0].used = std::nullopt;
  EXPECT_FALSE(SplitUse(gpu, ours).own);
  gpu.processes.clear();
  EXPECT_EQ(SplitUse(gpu, ours).own, Bytes(0));
  gpu.processes = {{10, GiB(9)}};
  EXPECT_EQ(SplitUse(gpu, ours).others, Bytes(0)) << "read a moment apart";
  gpu.used = std::nullopt;
  EXPECT_FALSE(SplitUse(gpu, ours).others);
}

TEST(NextInterval, FastNearABorderSlowWhenIdle) {
  EXPECT_EQ(NextInterval(ThresholdDistance(0.70, kThresholds), false), Milliseconds(100));
  EXPECT_EQ(NextInterval(ThresholdDistance(0.839, kThresholds), false), Milliseconds(100));
  EXPECT_EQ(NextInterval(ThresholdDistance(0.20, kThresholds), false), Milliseconds(1'000));
  EXPECT_EQ(NextInterval(ThresholdDistance(0.96, kThresholds), true), Milliseconds(5'000));
  EXPECT_EQ(NextInterval(std::nan(""), false), Milliseconds(100));
  EXPECT_EQ(NextInterval(ThresholdDistance(std::nan(""), kThresholds), false), Milliseconds(100));
  EXPECT_EQ(NextInterval(-1, false), Milliseconds(100));
  EXPECT_EQ(NextInterval(std::numeric_limits<double>::infinity(), false), Milliseconds(1'000));
  Milliseconds before{0};
  for (double distance = 0; distance < 0.3; distance += 0.001) {
    const Milliseconds next = NextInterval(distance, false);
    EXPECT_GE(next, before) << "farther is never faster";
    EXPECT_LE(next - before, Milliseconds(101)) << "no jump at " << distance;
    before = next;
  }
}

}  // namespace
}  // namespace headroom::probe
