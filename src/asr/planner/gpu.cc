#include "asr/planner/gpu.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "asr/planner/gpu_backends.h"

namespace headroom::planner {

std::optional<Gpu> FindGpu(probe::DeviceSource& devices, Milliseconds patience,
                           const std::string& wanted, const Clock& clock) {
  std::vector<const GpuBackend*> installed;
  for (const GpuBackend& backend : GpuBackends())
    if (backend.IsInstalled()) installed.push_back(&backend);
  if (installed.empty()) return std::nullopt;
  const MonoTime deadline = clock.Now() + patience;
  probe::DeviceReport report = devices.Ask({}, false);
  while (report.state != probe::ProbeState::kFresh && clock.Now() < deadline) {
    std::this_thread::sleep_for(Milliseconds(50));
    report = devices.Ask({}, false);
  }
  const auto backend_of = [&](const probe::Device& device) -> const GpuBackend* {
    const auto found = std::ranges::find_if(
        installed, [&](const GpuBackend* backend) { return backend->CanUse(device); });
    return found == installed.end() ? nullptr : *found;
  };
  const probe::Device* best = nullptr;
  for (const probe::Device& device : report.devices) {
    if (!backend_of(device)) continue;
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
  gpu.worker = backend_of(*best)->worker;
  gpu.calibration =
      FindCalibration({.device = best->pci, .driver = best->driver, .backend = gpu.worker});
  return gpu;
}

}  // namespace headroom::planner
