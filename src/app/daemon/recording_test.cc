#include "app/daemon/recording.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>

#include "observe/record/reader.h"

namespace headroom::app {
namespace {

TEST(Recording, WhatTheKernelSaysIsThere) {
  std::string folder = testing::TempDir() + "/recording-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string log = folder + "/kmsg";
  std::ofstream(log) << "6,1,1,-;NVRM: Xid (PCI:0000:01:00): 79, of before\n";
  {
    auto recording = Recording::Open({.file = folder + "/record.db", .kernel_log = log});
    ASSERT_TRUE(recording) << recording.error().what;
    std::ofstream(log, std::ios::app)
        << "6,2,2,-;Out of memory: Killed process 77 (firefox) total-vm:1kB, anon-rss:1kB\n";
    probe::Sample sample;
    sample.at = SystemClock().Now();
    sample.wall = SystemClock().WallNow();
    (*recording)->Measured(sample);
  }
  auto reader = record::Reader::Open({folder + "/record.db"});
  ASSERT_TRUE(reader) << reader.error().what;
  std::vector<record::EventKind> kinds;
  while (const auto entry = (*reader)->Next()) {
    if (const auto* event = std::get_if<record::Event>(&entry->what)) kinds.push_back(event->kind);
  }
  EXPECT_EQ(std::ranges::count(kinds, record::EventKind::kStart), 1);
  EXPECT_EQ(std::ranges::count(kinds, record::EventKind::kRecording), 1);
  EXPECT_EQ(std::ranges::count(kinds, record::EventKind::kKernel), 1) << "and not the older line";
  std::filesystem::remove_all(folder);
}

// The only sample of the record that `sample` makes.
record::Sample Recorded(const probe::Sample& sample) {
  std::string folder = testing::TempDir() + "/recording-XXXXXX";
  EXPECT_NE(::mkdtemp(folder.data()), nullptr);
  {
    auto recording =
        Recording::Open({.file = folder + "/record.db", .kernel_log = folder + "/kmsg"});
    EXPECT_TRUE(recording) << recording.error().what;
    (*recording)->Measured(sample);
  }
  auto reader = record::Reader::Open({folder + "/record.db"});
  EXPECT_TRUE(reader) << reader.error().what;
  std::optional<record::Sample> found;
  while (const auto entry = (*reader)->Next()) {
    if (const auto* one = std::get_if<record::Sample>(&entry->what)) found = *one;
  }
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(found.has_value());
  return found.value_or(record::Sample());
}

probe::Sample WithGpu(probe::ProbeState state) {
  probe::Sample sample;
  sample.at = SystemClock().Now();
  sample.wall = SystemClock().WallNow();
  sample.probe = state;
  probe::DeviceSample gpu;
  gpu.device.pci = "0000:01:00.0";
  gpu.device.state = probe::DeviceState::kActive;
  gpu.device.total = GiB(4);
  gpu.device.used = GiB(1);
  gpu.own = MiB(300);
  gpu.device.processes = {{::getpid(), MiB(300)}};
  sample.devices.push_back(gpu);
  return sample;
}

TEST(Recording, ALateProbeGivesNoNumbersOfTheGpu) {
  const record::Sample late = Recorded(WithGpu(probe::ProbeState::kLate));
  ASSERT_EQ(late.gpus.size(), 1U);
  EXPECT_EQ(late.gpus[0].state, record::GpuState::kLate);
  EXPECT_EQ(late.gpus[0].used, std::nullopt) << "the last known number is not a measurement";
  EXPECT_EQ(late.gpus[0].total, std::nullopt);
  EXPECT_EQ(late.gpus[0].own, std::nullopt);
  const record::Sample fresh = Recorded(WithGpu(probe::ProbeState::kFresh));
  ASSERT_EQ(fresh.gpus.size(), 1U);
  EXPECT_EQ(fresh.gpus[0].used, GiB(1));
}

TEST(Recording, TheGroupsOomKillsAndPressureAreThere) {
  probe::Sample sample = WithGpu(probe::ProbeState::kFresh);
  sample.cgroup.emplace();
  sample.cgroup->events = probe::MemoryEvents{.oom = 3, .oom_kill = 2};
  sample.cgroup->pressure.emplace();
  sample.cgroup->pressure->full.avg10 = 12.5;
  const record::Sample recorded = Recorded(sample);
  EXPECT_EQ(recorded.service.oom_kills, 2);
  EXPECT_EQ(recorded.service.psi_full, 12.5);
}

TEST(Recording, ProcessesHaveTheirShareOfTheGpu) {
  probe::Sample sample = WithGpu(probe::ProbeState::kFresh);
  sample.processes.push_back({::getpid(), {}, {}});
  sample.processes.push_back({::getppid(), {}, {}});
  const record::Sample recorded = Recorded(sample);
  ASSERT_EQ(recorded.processes.size(), 2U);
  EXPECT_EQ(recorded.processes[0].role, "daemon");
  EXPECT_EQ(recorded.processes[0].gpu, MiB(300));
  EXPECT_EQ(recorded.processes[1].role, "worker");
}

TEST(Recording, ZonesBelongToTheSample) {
  probe::Sample sample = WithGpu(probe::ProbeState::kFresh);
  sample.devices[0].device.used = MiB(4'000);  // 97 %
  const record::Sample recorded = Recorded(sample);
  EXPECT_EQ(recorded.service.zones[static_cast<std::size_t>(memory::Gauge::kVram)],
            memory::Zone::kCritical);
  EXPECT_EQ(recorded.service.zones[static_cast<std::size_t>(memory::Gauge::kRam)], std::nullopt)
      << "no process was read";
}

}  // namespace
}  // namespace headroom::app
