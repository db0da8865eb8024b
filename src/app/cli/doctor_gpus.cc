// Whether models can be put on a graphics card, and what is missing where they cannot.
#include <filesystem>

#include "app/cli/doctor.h"
#include "asr/planner/worker_devices.h"
#include "base/bytes.h"
#include "base/dirs.h"
#include "observe/probe/pci.h"

namespace headroom::cli {
namespace {

namespace fs = std::filesystem;

constexpr Milliseconds kAnswersWithin{20'000};  // a driver that is loaded for it takes seconds
constexpr const char* kHowToBuild =
    "configure with -DHEADROOM_CUDA=ON (NVIDIA's CUDA toolkit) or -DHEADROOM_VULKAN=ON (apt-get "
    "install libvulkan-dev glslc spirv-headers), see docs/gpu.md";

std::string WhatHelps(const std::string& program, const std::string& trouble) {
  const auto says = [&](const char* text) { return trouble.find(text) != std::string::npos; };
  if (says("libvulkan.so")) return "apt-get install libvulkan1";
  if (says("libcuda.so")) return "install NVIDIA's driver; nvidia-smi says whether it works";
  if (says("libcublas") || says("libcudart")) return "install the libraries of the CUDA toolkit";
  if (says("in time")) return "the driver hangs; a restart of the machine helps";
  return program == planner::kCudaWorker ? "nvidia-smi says whether the driver works"
                                         : "vulkaninfo --summary says whether the driver works";
}

Findings OfWorker(const std::string& program) {
  const auto devices = planner::AskDevices(program, kAnswersWithin);
  if (!devices)
    return {{Health::kWarn, "card worker", devices.error().what,
             WhatHelps(program, devices.error().what)}};
  if (devices->empty())
    return {{Health::kWarn, "card worker", program + " finds no card",
             program == planner::kCudaWorker
                 ? "nvidia-smi says whether NVIDIA's driver works"
                 : "apt-get install mesa-vulkan-drivers for AMD and Intel; NVIDIA's driver brings "
                   "its own; /dev/dri/renderD* must be open to you (group render)"}};
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
  for (const char* program : {planner::kCudaWorker, planner::kVulkanWorker}) {
    if (!FindProgram(program)) continue;
    any = true;
    add(OfWorker(program));
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
          "there is a graphics card, and this installation has no worker for it", kHowToBuild}});
  return findings;
}

}  // namespace headroom::cli
