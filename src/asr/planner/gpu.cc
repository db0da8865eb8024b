#include "asr/planner/gpu.h"

#include <thread>

#include "asr/planner/worker_devices.h"
#include "base/dirs.h"

namespace headroom::planner {

std::optional<Gpu> FindGpu(probe::DeviceSource& devices, Milliseconds patience,
                           const std::string& wanted, const Clock& clock) {
  const auto installed = [](const char* program) { return FindProgram(program).has_value(); };
  const bool cuda = installed(kCudaWorker);
  const bool vulkan = installed(kVulkanWorker);
  if (!cuda && !vulkan) return std::nullopt;
  const MonoTime deadline = clock.Now() + patience;
  probe::DeviceReport report = devices.Ask({}, false);
  while (report.state != probe::ProbeState::kFresh && clock.Now() < deadline) {
    std::this_thread::sleep_for(Milliseconds(50));
    report = devices.Ask({}, false);
  }
  // NVIDIA's devices carry the driver's version, AMD's its name.
  const auto nvidia = [](const probe::Device& device) { return device.driver != "amdgpu"; };
  const probe::Device* best = nullptr;
  for (const probe::Device& device : report.devices) {
    if (!vulkan && !nvidia(device)) continue;
    if (!wanted.empty() && device.pci != wanted) continue;
    const bool better = best != nullptr && best->kind == probe::DeviceKind::kUnified &&
                        device.kind == probe::DeviceKind::kDiscrete;
    if (best == nullptr || better) best = &device;
  }
  if (best == nullptr) return std::nullopt;
  Gpu gpu;
  gpu.device = best->pci;
  gpu.name = best->name.empty() ? best->pci : best->name;
  if (best->kind == probe::DeviceKind::kUnified) gpu.kind = memory::DeviceKind::kUnified;
  gpu.total = best->total.value_or(Bytes(0));
  gpu.worker = cuda && nvidia(*best) ? kCudaWorker : kVulkanWorker;
  gpu.calibration =
      FindCalibration({.device = best->pci, .driver = best->driver, .backend = gpu.worker});
  return gpu;
}

}  // namespace headroom::planner
