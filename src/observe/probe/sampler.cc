#include "observe/probe/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace headroom::probe {

Sampler::Sampler(SamplerOptions options, DeviceSource& devices, const Clock& clock)
    : options_(std::move(options)),
      devices_(devices),
      clock_(clock),
      meminfo_(options_.root / "proc/meminfo"),
      pressure_(options_.root / "proc/pressure/memory"),
      processes_(options_.root),
      cgroup_(options_.root, options_.cgroup) {}

Sample Sampler::Take(std::span<const pid_t> ours, bool idle, std::optional<MonoTime> due) {
  const auto since = [](MonoTime from, MonoTime to) {
    return std::max(Milliseconds(0), std::chrono::duration_cast<Milliseconds>(to - from));
  };
  Sample sample;
  sample.at = clock_.Now();
  sample.wall = clock_.WallNow();
  if (due) sample.late = since(*due, sample.at);

  std::array<char, kMostText> buffer;
  if (const auto text = meminfo_.Read(buffer)) sample.host = ParseMeminfo(*text);
  if (const auto text = pressure_.Read(buffer)) sample.host_pressure = ParsePressure(*text);
  sample.cgroup = cgroup_.Read();
  const bool rollup = !rollup_at_ || sample.at - *rollup_at_ >= options_.rollup_every;
  if (rollup) rollup_at_ = sample.at;
  sample.processes = processes_.Read(ours, rollup);
  for (const ProcessMemory& process : sample.processes) {
    sample.service_ram += process.status.counted();
    sample.service_swap += process.status.swap;
  }

  DeviceReport report = devices_.Ask(ours, idle);
  sample.probe = report.state;
  sample.probe_waiting = report.waiting;
  sample.probe_trouble = std::move(report.trouble);
  const MonoTime end = clock_.Now();
  if (report.measured_at) sample.devices_age = since(*report.measured_at, end);
  for (Device& device : report.devices) sample.devices.push_back(SplitUse(std::move(device), ours));
  sample.took = since(sample.at, end);
  return sample;
}

DeviceSample SplitUse(Device device, std::span<const pid_t> ours) {
  DeviceSample sample{std::move(device), std::nullopt, std::nullopt};
  if (!sample.device.used) return sample;
  Bytes own;
  for (const DeviceUse& use : sample.device.processes) {
    if (std::ranges::count(ours, use.pid) == 0) continue;
    if (!use.used) return sample;
    own += *use.used;
  }
  // The driver's list and its total are not of the same instant.
  sample.own = std::min(own, *sample.device.used);
  sample.others = *sample.device.used - *sample.own;
  return sample;
}

double ThresholdDistance(double fill, std::span<const double> thresholds) {
  double nearest = 1;
  for (const double threshold : thresholds) nearest = std::min(nearest, std::abs(fill - threshold));
  return std::isnan(fill) ? fill : nearest;
}

Milliseconds NextInterval(double distance, bool idle) {
  constexpr double kNear = 0.02, kFar = 0.15;
  if (idle) return kIdle;
  if (!(distance > kNear)) return kFastest;
  if (distance >= kFar) return kNormal;
  const double share = (distance - kNear) / (kFar - kNear);
  const auto more = static_cast<double>((kNormal - kFastest).count()) * share;
  return kFastest + Milliseconds(static_cast<std::int64_t>(more));
}

}  // namespace headroom::probe
