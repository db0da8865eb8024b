// AMD GPUs by sysfs: no library, no open device node.
// Formats: Documentation/gpu/amdgpu/driver-misc.rst (mem_info_*), thermal.rst (gpu_metrics) and
// Documentation/gpu/drm-usage-stats.rst (fdinfo) of the kernel.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "observe/probe/device.h"

namespace headroom::probe {

/// Memory of one DRM client as an fdinfo file reports it.
struct FdinfoMemory {
  std::string pci;          // drm-pdev
  std::int64_t client = 0;  // drm-client-id: the same in every descriptor of one client
  Bytes vram, gtt;
};

/// nullopt for descriptors that are no DRM client, and for garbage. drm-resident-* is preferred to
/// the older drm-memory-*.
std::optional<FdinfoMemory> ParseFdinfo(std::string_view text);

/// One thread at a time.
class AmdgpuReader {
 public:
  explicit AmdgpuReader(std::filesystem::path root = "/") : root_(std::move(root)) {}

  /// A sleeping GPU is reported as suspended and, but for its ids and power state, not read. When
  /// `rest`, GPUs that can sleep are left alone too. `ours`: whose use is looked up.
  std::vector<Device> Read(std::span<const pid_t> ours, bool rest);

 private:
  void ReadMemory(const std::filesystem::path& folder, Device& device);
  void ReadUse(std::span<const pid_t> ours, std::vector<Device>& devices) const;

  std::filesystem::path root_;
  std::map<std::string, DeviceKind> kinds_;  // by address: asked of a GPU once
};

}  // namespace headroom::probe
