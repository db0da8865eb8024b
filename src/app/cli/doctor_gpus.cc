// Checks whether models can run on a GPU and says what is missing where they cannot.
#include <filesystem>

#include "app/cli/doctor.h"
#include "asr/planner/worker_devices.h"
#include "base/bytes.h"
#include "base/dirs.h"
#include "observe/probe/pci.h"

namespace headroom::cli {
namespace {

namespace fs = std::filesystem;

constexpr Milliseconds kAnswersWithin{20'000};  // loading the driver takes seconds
constexpr const char* kHowToBuild =
    "configure with -DHEADROOM_CUDA=ON (NVIDIA's CUDA toolkit) or -DHEADROOM_VULKAN=ON (apt-get "
    "install libvulkan-dev glslc spirv-headers), see docs/gpu.md";

std::string HintFor(const std::string& program, const std::string& error) {
  const auto says = [&](const char* text) { return error.contains(text); };
  if (says("libvulkan.so")) return "apt-get install libvulkan1";
  if (says("libcuda.so")) return "install the NVIDIA driver; nvidia-smi shows whether it works";
  if (says("libcublas") || says("libcudart")) return "install the CUDA toolkit's libraries";
  if (says("in time")) return "the driver hangs; restart the machine";
  return program == planner::kCudaWorker ? "nvidia-smi shows whether the driver works"
                                         : "vulkaninfo --summary shows whether the driver works";
}

Findings OfWorker(const std::string& program) {
  const auto devices = planner::AskDevices(program, kAnswersWithin);
  if (!devices)
    return {{Health::kWarn, "GPU worker", devices.error().what,
             HintFor(program, devices.error().what)}};
  if (devices->empty())
    return {
        {Health::kWarn, "GPU worker", program + " found no GPU",
         program == planner::kCudaWorker
             ? "nvidia-smi shows whether the NVIDIA driver works"
             : "apt-get install mesa-vulkan-drivers for AMD and Intel; the NVIDIA driver brings "
               "its own; you need access to /dev/dri/renderD* (group render)"}};
  Findings findings;
  for (const planner::WorkerDevice& device : *devices)
    findings.push_back({Health::kOk, "GPU worker",
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
    add({{Health::kWarn, "GPU worker",
          fmt::format("the NVIDIA GPU {} does not use the NVIDIA driver", nvidia.front().pci),
          "install your distribution's nvidia-driver package and restart the machine"}});
  if (!any && !(nvidia.empty() && amd.empty()))
    add({{Health::kWarn, "GPU worker", "this installation has no worker for the graphics card",
          kHowToBuild}});
  return findings;
}

}  // namespace headroom::cli
