// One sample of everything the governor looks at, and how soon the next is due.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "observe/probe/cgroup.h"
#include "observe/probe/device_probe.h"
#include "observe/probe/host.h"
#include "observe/probe/process.h"

namespace headroom::probe {

/// A GPU's memory, split by owner.
struct DeviceSample {
  Device device;
  /// Of the processes that were said to be ours; absent when unknown (GPU not read, or a process
  /// of ours whose use the driver does not report).
  std::optional<Bytes> own;
  std::optional<Bytes> others;  // used - own: other programs, the desktop and the driver itself
};

struct Sample {
  MonoTime at{};
  WallTime wall{};
  Milliseconds late{0};  // how long after it was due this sample was begun
  Milliseconds took{0};
  ProbeState probe = ProbeState::kDown;
  Milliseconds probe_waiting{0};
  std::string probe_trouble;
  std::optional<Milliseconds> devices_age;  // absent: no GPU was ever read
  std::vector<DeviceSample> devices;
  std::optional<HostMemory> host;
  std::optional<Pressure> host_pressure;
  std::optional<CgroupMemory> cgroup;
  std::vector<ProcessMemory> processes;  // of ours, those that could be read
  /// Anon + shmem + swap of `processes`. A memory file mapped by two of them counts twice.
  Bytes service_ram;
  Bytes service_swap;
};

struct SamplerOptions {
  std::filesystem::path root = "/";
  std::optional<std::string> cgroup = std::nullopt;  // whose memory is read; absent: ours
  Milliseconds rollup_every{10'000};  // smaps_rollup of our processes; zero: at every sample
};

/// One thread at a time. Take reads kernel files (well under a millisecond) and asks `devices`, so
/// it blocks for at most the probe's deadline.
class Sampler {
 public:
  Sampler(SamplerOptions options, DeviceSource& devices, const Clock& clock = SystemClock());

  /// `ours`: our processes, the caller's own included where it is to be counted. `idle`: nothing
  /// of ours is on a GPU, so GPUs that can sleep are left alone. `due`: when it should have been.
  Sample Take(std::span<const pid_t> ours, bool idle, std::optional<MonoTime> due = std::nullopt);

 private:
  SamplerOptions options_;
  DeviceSource& devices_;
  const Clock& clock_;
  KernelFile meminfo_, pressure_;
  ProcessReader processes_;
  CgroupReader cgroup_;
  std::optional<MonoTime> rollup_at_;
};

/// `device.used` split by `ours`. On a GPU that no process of ours uses, own is zero.
DeviceSample SplitUse(Device device, std::span<const pid_t> ours);

/// The distance from `fill` (used / total) to the nearest of `thresholds`, all in 0 to 1.
double ThresholdDistance(double fill, std::span<const double> thresholds);

inline constexpr Milliseconds kFastest{100}, kNormal{1'000}, kIdle{5'000};

/// 10 Hz within 2 % of a threshold, 1 Hz farther than 15 %, smoothly between; 0.2 Hz when idle.
/// `distance` as above, the smallest of all that is watched; NaN counts as near.
Milliseconds NextInterval(double distance, bool idle);

}  // namespace headroom::probe
