#include "observe/watch/sample_of.h"

#include <algorithm>

namespace headroom::watch {

using memory::Gauge;
using memory::Zone;

record::Sample SampleOf(const probe::Sample& sample, const std::map<pid_t, std::string>& roles) {
  record::Sample result;
  result.at = {sample.at, sample.wall};
  if (const auto& host = sample.host) {
    result.host.total = host->total, result.host.available = host->available;
    if (host->swap) {
      result.host.swap_total = host->swap->total, result.host.swap_used = host->swap->used();
    }
  }
  if (const auto& pressure = sample.host_pressure) {
    result.host.psi_some = pressure->some.avg10, result.host.psi_full = pressure->full.avg10;
  }
  record::ServiceSample& service = result.service;
  if (!sample.processes.empty())
    service.ram = sample.service_ram, service.swap = sample.service_swap;
  if (const auto& group = sample.cgroup) {
    service.cgroup_current = group->current;
    service.cgroup_high = group->effective_high, service.cgroup_max = group->effective_max;
    service.cgroup_swap = group->swap_current;
    service.room = group->room;
    if (group->events) service.oom_kills = group->events->oom_kill;
    if (group->pressure) service.psi_full = group->pressure->full.avg10;
  }
  std::map<pid_t, Bytes> on_gpus;
  for (const probe::DeviceSample& one : sample.devices) {
    const probe::Device& device = one.device;
    record::GpuSample gpu;
    gpu.gpu = device.pci;
    gpu.state = static_cast<record::GpuState>(device.state);
    if (sample.probe == probe::ProbeState::kFresh) {
      gpu.total = device.total, gpu.used = device.used, gpu.own = one.own;
      for (const probe::DeviceUse& use : device.processes) {
        if (use.used) on_gpus[use.pid] += *use.used;
      }
    } else if (gpu.state == record::GpuState::kActive) {
      gpu.state = record::GpuState::kLate;  // what was known last is not what is
    }
    result.gpus.push_back(std::move(gpu));
  }
  for (const probe::ProcessMemory& one : sample.processes) {
    record::ProcessSample process;
    process.pid = one.pid;
    const auto role = roles.find(one.pid);
    process.role = role == roles.end() ? "process" : role->second;
    process.rss = one.status.rss, process.counted = one.status.counted();
    process.swap = one.status.swap;
    if (one.rollup) process.pss = one.rollup->pss;
    if (const auto use = on_gpus.find(one.pid); use != on_gpus.end()) process.gpu = use->second;
    result.processes.push_back(std::move(process));
  }
  return result;
}

// GpuState begins with the states of a device, in their order.
static_assert(static_cast<int>(record::GpuState::kError) ==
              static_cast<int>(probe::DeviceState::kError));
static_assert(static_cast<int>(record::GpuState::kLost) ==
              static_cast<int>(probe::DeviceState::kLost));

std::vector<record::GpuName> GpuNames(const probe::Sample& sample) {
  std::vector<record::GpuName> names;
  for (const probe::DeviceSample& one : sample.devices)
    names.push_back({one.device.pci, one.device.name, one.device.uuid, one.device.driver});
  return names;
}

void FillZones(record::Sample& sample, const memory::Thresholds& thresholds,
               std::string_view counted) {
  auto& zones = sample.service.zones;
  const auto at = [&zones](Gauge gauge) -> std::optional<Zone>& {
    return zones[static_cast<std::size_t>(gauge)];
  };
  for (const record::GpuSample& gpu : sample.gpus) {
    if (!counted.empty() && gpu.gpu != counted) continue;
    if (gpu.used && gpu.total) {
      const auto zone = memory::VramZone(thresholds, *gpu.used, *gpu.total);
      if (zone) at(Gauge::kVram) = std::max(at(Gauge::kVram).value_or(Zone::kSafe), *zone);
    }
    const bool lost = gpu.state == record::GpuState::kLost;
    at(Gauge::kGpu) = std::max(at(Gauge::kGpu).value_or(Zone::kSafe),
                               lost                                   ? Zone::kCritical
                               : gpu.state == record::GpuState::kLate ? Zone::kWarning
                                                                      : Zone::kSafe);
  }
  if (sample.service.ram)
    at(Gauge::kRam) =
        memory::RamThresholds(thresholds, sample.service.cgroup_high, sample.host.total)
            .Of(*sample.service.ram);
  if (sample.service.swap) at(Gauge::kSwap) = memory::SwapZone(thresholds, *sample.service.swap);
  at(Gauge::kPressure) =
      memory::PressureZone(thresholds, sample.host.psi_some, sample.host.psi_full);
}

std::vector<record::Event> Changes(const record::Sample& before, const record::Sample& now) {
  using record::Event;
  using record::EventKind;
  using record::Key;
  std::vector<Event> events;
  for (std::size_t g = 0; g < memory::kGauges; ++g) {
    const auto &from = before.service.zones[g], &to = now.service.zones[g];
    if (from && to && *from != *to)
      events.push_back(record::ZoneEvent(now.at, static_cast<Gauge>(g), *from, *to));
  }
  if (before.service.oom_kills && now.service.oom_kills &&
      *now.service.oom_kills > *before.service.oom_kills)
    events.push_back(Event{EventKind::kKernel, now.at, {}}
                         .With(Key::kClass, "oom_kill")
                         .With(Key::kSource, "cgroup")
                         .With(Key::kCount, *now.service.oom_kills - *before.service.oom_kills));
  for (const record::GpuSample& gpu : now.gpus) {
    const auto was = std::ranges::find(before.gpus, gpu.gpu, &record::GpuSample::gpu);
    if (was != before.gpus.end() && was->state != gpu.state)
      events.push_back(Event{EventKind::kDevice, now.at, {}}
                           .With(Key::kGpu, gpu.gpu)
                           .With(Key::kFrom, Name(was->state))
                           .With(Key::kTo, Name(gpu.state)));
  }
  return events;
}

}  // namespace headroom::watch
