// Whether models can be put on a graphics card, and what is missing where they cannot.
#include <filesystem>
#include <string_view>
#include <vector>

#include "app/cli/doctor.h"
#include "asr/planner/gpu_backends.h"
#include "asr/planner/worker_devices.h"
#include "base/bytes.h"
#include "observe/probe/pci.h"

namespace headroom::cli {
namespace {

namespace fs = std::filesystem;

constexpr Milliseconds kAnswersWithin{20'000};  // a driver that is loaded for it takes seconds
std::string HowToBuild() {
  std::vector<std::string_view> options;
  for (const planner::GpuBackend& backend : planner::GpuBackends())
    options.push_back(backend.build);
  return fmt::format("configure with {}, see docs/gpu.md", fmt::join(options, " or "));
}

std::string_view WhatHelps(const planner::GpuBackend& backend, std::string_view error) {
  for (const planner::MissingLibrary& missing : backend.libraries)
    if (error.find(missing.library) != std::string_view::npos) return missing.help;
  if (error.find("in time") != std::string_view::npos)
    return "the driver hangs; a restart of the machine helps";
  return backend.check;
}

Findings OfWorker(const planner::GpuBackend& backend) {
  const std::string program = backend.worker;
  const auto devices = planner::AskDevices(program, kAnswersWithin);
  if (!devices)
    return {{Health::kWarn, "card worker", devices.error().what,
             std::string(WhatHelps(backend, devices.error().what))}};
  if (devices->empty())
    return {{Health::kWarn, "card worker", program + " finds no GPU", std::string(backend.no_gpu)}};
  Findings findings;
  for (const planner::WorkerDevice& device : *devices)
    findings.push_back({Health::kOk, "card worker",
                        fmt::format("{} can use {} ({}, {})", program, device.description,
                                    device.key(), FormatBinary(device.total)),
                        ""});
  return findings;
}

}  // namespace

Findings CheckGpuWorkers(const DoctorContext&) {
  Findings findings;
  const auto add = [&](Findings more) {
    for (Finding& one : more) findings.push_back(std::move(one));
  };
  bool any = false;
  for (const planner::GpuBackend& backend : planner::GpuBackends()) {
    if (!backend.IsInstalled()) continue;
    any = true;
    add(OfWorker(backend));
  }
  const fs::path root = "/";
  const auto nvidia = probe::FindDisplayCards(root, probe::kVendorNvidia);
  const auto amd = probe::FindDisplayCards(root, probe::kVendorAmd);
  std::error_code none;
  if (!nvidia.empty() && !fs::exists(root / "proc/driver/nvidia/version", none))
    add({{Health::kWarn, "card worker",
          fmt::format("the NVIDIA card {} has not NVIDIA's driver", nvidia.front().pci),
          "install your distribution's nvidia-driver and restart the machine"}});
  if (!any && !(nvidia.empty() && amd.empty()))
    add({{Health::kWarn, "card worker",
          "there is a graphics card, and this installation has no worker for it", HowToBuild()}});
  return findings;
}

}  // namespace headroom::cli
