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
    cards_ = FindDisplayCards(root_, kVendorNvidia);
    if (cards_.size() > kMostDevices) cards_.resize(kMostDevices);
    search_again_ = clock_.Now() + kSearchAgain;
  }
  for (DisplayCard& card : cards_) {
    card.power = ReadPowerState(root_ / "sys/bus/pci/devices" / card.pci);
    Device device;
    device.pci = card.pci;
    device.name = fmt::format("NVIDIA {:04x}", card.device_id);
    device.can_sleep = card.power.can_sleep;
    device.state = card.power.awake ? DeviceState::kResting : DeviceState::kSuspended;
    one_sleeps |= !card.power.awake;
    devices.push_back(std::move(device));
  }
  if (devices.empty() || one_sleeps || rest) {
    nvml_.reset();
    for (Device& device : devices) {
      if (device.state == DeviceState::kResting && one_sleeps && !rest)
        device.trouble = "left alone while another NVIDIA card sleeps";
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
