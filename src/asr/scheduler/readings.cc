#include "asr/scheduler/readings.h"

#include <unistd.h>

#include <algorithm>
#include <vector>

namespace headroom::asr {
namespace {

class NoDevices : public probe::DeviceSource {
 public:
  probe::DeviceReport Ask(std::span<const pid_t>, bool) override {
    return {.state = probe::ProbeState::kFresh,
            .devices = {},
            .measured_at = {},
            .waiting = {},
            .trouble = {}};
  }
};

std::unique_ptr<probe::DeviceSource> MakeSource(const ProbeReadingsOptions& options,
                                                const Clock& clock) {
  if (!options.devices) return std::make_unique<NoDevices>();
  return std::make_unique<probe::DeviceProbe>(options.probe, clock);
}

const probe::DeviceSample* GpuOf(const probe::Sample& sample, std::string_view gpu) {
  const auto found = std::ranges::find_if(sample.devices, [&](const probe::DeviceSample& one) {
    return gpu.empty() ? one.device.kind == probe::DeviceKind::kDiscrete : one.device.pci == gpu;
  });
  return found == sample.devices.end() ? nullptr : &*found;
}

}  // namespace

memory::Sample ToGovernor(const probe::Sample& sample, std::string_view gpu) {
  memory::Sample seen;
  seen.ram = sample.service_ram;
  seen.swap = sample.service_swap;
  if (sample.processes.empty()) seen.ram = seen.swap = std::nullopt;
  if (sample.host) {
    seen.ram_available = sample.host->available;
    seen.host_total = sample.host->total;
  }
  if (sample.host_pressure) {
    seen.psi_some = sample.host_pressure->some.avg10;
    seen.psi_full = sample.host_pressure->full.avg10;
  }
  if (sample.cgroup) {
    seen.memory_high = sample.cgroup->effective_high;
    seen.limit_left = sample.cgroup->room;
  }
  if (sample.probe != probe::ProbeState::kFresh) return seen;
  if (const probe::DeviceSample* one = GpuOf(sample, gpu);
      one && one->device.state == probe::DeviceState::kActive) {
    seen.vram_total = one->device.total;
    seen.vram_used = one->device.used;
    seen.vram_ours = one->own;
    seen.vram_others = one->others;
  }
  return seen;
}

ProbeReadings::ProbeReadings(ProbeReadingsOptions options, const Clock& clock)
    : ProbeReadings(options, MakeSource(options, clock), clock) {}

ProbeReadings::ProbeReadings(ProbeReadingsOptions options,
                             std::unique_ptr<probe::DeviceSource> devices, const Clock& clock)
    : options_(std::move(options)),
      devices_(std::move(devices)),
      sampler_(options_.sampler, *devices_, clock) {}

ProbeReadings::~ProbeReadings() = default;

memory::Sample ProbeReadings::Take(std::span<const pid_t> workers, bool idle, MonoTime due) {
  std::vector<pid_t> ours(workers.begin(), workers.end());
  ours.push_back(::getpid());
  const probe::Sample sample = sampler_.Take(ours, idle, due);
  if (options_.on_sample) options_.on_sample(sample);
  memory::Sample seen = ToGovernor(sample, options_.gpu);
  if (seen.vram_total) {
    total_ = seen.vram_total;
    return seen;
  }
  // A GPU that sleeps, or that was released so that it can, has not stopped answering.
  const probe::DeviceSample* gpu = GpuOf(sample, options_.gpu);
  if (gpu == nullptr || sample.probe != probe::ProbeState::kFresh) return seen;
  if (total_ && gpu->device.state == probe::DeviceState::kSuspended) {
    seen.vram_total = total_;
    seen.vram_ours = seen.vram_others = seen.vram_used = Bytes(0);
  }
  seen.gpu_rests = idle && gpu->device.state == probe::DeviceState::kResting;
  return seen;
}

}  // namespace headroom::asr
