// NVIDIA GPUs: sysfs decides whether NVML may be touched at all.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "observe/probe/device.h"
#include "observe/probe/nvml.h"
#include "observe/probe/pci.h"

namespace headroom::probe {

inline constexpr const char* kNvmlLibrary = "libnvidia-ml.so.1";

/// One thread; may hang in Read, so it lives in headroom-probe.
class NvidiaReader {
 public:
  NvidiaReader(std::filesystem::path root, std::string library, const Clock& clock)
      : root_(std::move(root)), library_(std::move(library)), clock_(clock) {}

  /// Without an NVIDIA display GPU in sysfs NVML is not even loaded. While one of them sleeps, or
  /// when `rest`, NVML is given up, since starting it can wake and holding it can keep awake every
  /// GPU of the vendor. A library that cannot be opened is tried again after 10 s.
  std::vector<Device> Read(bool rest);

  bool open() const { return nvml_ != nullptr; }

 private:
  std::filesystem::path root_;
  std::string library_;
  const Clock& clock_;
  std::vector<DisplayCard> gpus_;  // the bus is searched every 10 s, power is read every time
  MonoTime search_again_{};
  std::unique_ptr<Nvml> nvml_;
  std::string trouble_;  // why it could not be opened
  MonoTime try_again_{};
};

}  // namespace headroom::probe
