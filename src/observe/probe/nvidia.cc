#include "observe/probe/nvidia.h"

#include <algorithm>

namespace headroom::probe {
namespace {
constexpr std::chrono::seconds kTryAgain{10}, kSearchAgain{10};
}

std::vector<Device> NvidiaReader::Read(bool rest) {
  std::vector<Device> devices;
  bool one_sleeps = false;
  if (clock_.Now() >= search_again_) {
    gpus_ = FindDisplayCards(root_, kVendorNvidia);
    if (gpus_.size() > kMostDevices) gpus_.resize(kMostDevices);
    search_again_ = clock_.Now() + kSearchAgain;
  }
  for (DisplayCard& gpu : gpus_) {
    gpu.power = ReadPowerState(root_ / "sys/bus/pci/devices" / gpu.pci);
    Device device;
    device.pci = gpu.pci;
    device.name = fmt::format("NVIDIA {:04x}", gpu.device_id);
    device.can_sleep = gpu.power.can_sleep;
    device.state = gpu.power.awake ? DeviceState::kResting : DeviceState::kSuspended;
    one_sleeps |= !gpu.power.awake;
    devices.push_back(std::move(device));
  }
  if (devices.empty() || one_sleeps || rest) {
    nvml_.reset();
    for (Device& device : devices) {
      if (device.state == DeviceState::kResting && one_sleeps && !rest)
        device.trouble = "left alone while another NVIDIA GPU sleeps";
    }
    return devices;
  }
  if (!nvml_ && clock_.Now() >= try_again_) {
    auto opened = Nvml::Open(library_);
    if (opened) {
      nvml_ = std::move(*opened);
    } else {
      trouble_ = opened.error().what;
      try_again_ = clock_.Now() + kTryAgain;
    }
  }
  bool usable = true;
  for (Device& device : devices) {
    if (nvml_) {
      usable &= nvml_->Read(device);
    } else {
      device.state = DeviceState::kError;
      device.trouble = trouble_.substr(0, kMostName);
    }
  }
  if (!usable) nvml_.reset();
  return devices;
}

}  // namespace headroom::probe
