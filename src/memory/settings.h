// Thresholds from a configuration's untyped keys and values, whatever its file format. Pure.
//
// Keys: vram_warning, vram_danger, vram_critical (percent; also "70 %"), ram_… and swap_… (sizes:
// "2GB", or a number of bytes), ram_percent_…, psi_some_…, psi_full_… (percent).
#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "memory/zones.h"

namespace headroom::memory {

struct Setting {
  std::string key;
  std::variant<double, std::string> value;
};

/// `base` with the settings put in and the whole validated. kInvalid names the key, and for a key
/// that does not exist the nearest ones.
Result<Thresholds> ThresholdsFrom(std::span<const Setting> settings, Thresholds base = {});

/// One setting put in, the whole not validated: for readers that report every mistake at once.
Result<> SetThreshold(Thresholds& thresholds, const Setting& setting);

/// The inverse: every key with its value, percentages as numbers, sizes as text.
std::vector<Setting> SettingsOf(const Thresholds& thresholds);

/// Every key, in the order of the struct.
std::vector<std::string> ThresholdKeys();

}  // namespace headroom::memory
