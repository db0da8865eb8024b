#include "asr/planner/gpu_backends.h"

#include <array>

#include "base/dirs.h"

namespace headroom::planner {
namespace {

constexpr std::array kCudaLibraries{
    MissingLibrary{"libcuda.so", "install NVIDIA's driver; nvidia-smi says whether it works"},
    MissingLibrary{"libcublas", "install the libraries of the CUDA toolkit"},
    MissingLibrary{"libcudart", "install the libraries of the CUDA toolkit"},
};
constexpr std::array kVulkanLibraries{
    MissingLibrary{"libvulkan.so", "apt-get install libvulkan1"},
};

constexpr std::array kBackends{
    GpuBackend{.worker = "headroom-worker-cuda",
               .nvidia_only = true,
               .build = "-DHEADROOM_CUDA=ON (NVIDIA's CUDA toolkit)",
               .check = "nvidia-smi says whether the driver works",
               .no_gpu = "nvidia-smi says whether NVIDIA's driver works",
               .libraries = kCudaLibraries},
    GpuBackend{.worker = "headroom-worker-vulkan",
               .nvidia_only = false,
               .build = "-DHEADROOM_VULKAN=ON (apt-get install libvulkan-dev glslc spirv-headers)",
               .check = "vulkaninfo --summary says whether the driver works",
               .no_gpu =
                   "apt-get install mesa-vulkan-drivers for AMD and Intel; NVIDIA's driver brings "
                   "its own; /dev/dri/renderD* must be open to you (group render)",
               .libraries = kVulkanLibraries},
};

}  // namespace

bool GpuBackend::IsInstalled() const {
  return FindProgram(worker).has_value();
}

bool GpuBackend::CanUse(const probe::Device& device) const {
  // The probe gives the driver's version for NVIDIA's devices and its name for AMD's.
  return !nvidia_only || device.driver != "amdgpu";
}

std::span<const GpuBackend> GpuBackends() {
  return kBackends;
}

}  // namespace headroom::planner
