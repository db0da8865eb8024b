// Display GPUs on the PCI bus, and whether they sleep. Reads only attributes that the kernel keeps
// in memory (class, vendor, device, power/*), never `config`, so looking cannot wake a GPU.
// Formats: Documentation/ABI/testing/sysfs-bus-pci and sysfs-devices-power of the kernel.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace headroom::probe {

inline constexpr std::uint32_t kVendorAmd = 0x1002;
inline constexpr std::uint32_t kVendorNvidia = 0x10de;

struct PowerState {
  /// Only "active" (or no runtime power management at all) counts as awake: a GPU on its way down
  /// or up must not be disturbed either, and an unknown word is treated as asleep.
  bool awake = false;
  bool can_sleep = false;  // power/control is "auto" and the driver takes part
};

/// `device`: a device's sysfs folder. A folder without power/runtime_status is awake.
PowerState ReadPowerState(const std::filesystem::path& device);

struct DisplayCard {
  std::string pci;
  std::uint32_t device_id = 0;
  PowerState power;
};

/// Display controllers (class 0x03) of `vendor` under ROOT/sys/bus/pci/devices, by address.
std::vector<DisplayCard> FindDisplayCards(const std::filesystem::path& root, std::uint32_t vendor);

/// "0000:01:00.0"
bool IsPciAddress(std::string_view text);

}  // namespace headroom::probe
