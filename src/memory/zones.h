// The zone of a moment: how near a measured number is to its limit. Pure.
//   safe < warning threshold <= warning < danger threshold <= danger < critical threshold <=
//   critical
// The defaults are those of the incident that this program exists to make impossible.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace headroom::memory {

enum class Zone { kSafe, kWarning, kDanger, kCritical };  // ordered: worse is greater
std::string_view Name(Zone zone);                         // "safe", "warning", …
std::optional<Zone> ZoneFromName(std::string_view name);

template <class T>
struct ZoneLevels {
  T warning{}, danger{}, critical{};

  constexpr Zone Of(T value) const {
    return value >= critical  ? Zone::kCritical
           : value >= danger  ? Zone::kDanger
           : value >= warning ? Zone::kWarning
                              : Zone::kSafe;
  }
  friend bool operator==(const ZoneLevels&, const ZoneLevels&) = default;
};

constexpr Bytes Megabytes(std::int64_t n) {
  return Bytes(n * 1'000'000);
}

struct Thresholds {
  /// Percent of the whole device, everybody's use.
  ZoneLevels<double> vram{70, 85, 95};
  /// Anonymous, shared and swapped memory of our processes: the smaller of these two. The
  /// percentage is of MemoryHigh and of the host, so it counts on small hosts only.
  ZoneLevels<Bytes> ram{Megabytes(2000), Megabytes(4000), Megabytes(6000)};
  ZoneLevels<double> ram_percent{50, 70, 85};
  /// Swap used by our processes.
  ZoneLevels<Bytes> swap{Megabytes(500), Megabytes(1000), Megabytes(1500)};
  /// /proc/pressure/memory, avg10, percent of the last ten seconds.
  ZoneLevels<double> psi_some{20, 60, 90};
  ZoneLevels<double> psi_full{5, 20, 50};

  friend bool operator==(const Thresholds&, const Thresholds&) = default;
};

/// Finite, above zero, ascending, percentages at most 100; else kInvalid that names the threshold.
Result<> Validate(const Thresholds& thresholds);

/// nullopt when the numbers make no sense (no total, negative, not finite).
std::optional<Zone> VramZone(const Thresholds& thresholds, Bytes used, Bytes total);
std::optional<Zone> SwapZone(const Thresholds& thresholds, Bytes swap);
/// The thresholds that hold for a service with that MemoryHigh on that host.
ZoneLevels<Bytes> RamThresholds(const Thresholds& thresholds, std::optional<Bytes> memory_high,
                                std::optional<Bytes> host_total);
/// The worse of the two; nullopt when neither is known.
std::optional<Zone> PressureZone(const Thresholds& thresholds, std::optional<double> some,
                                 std::optional<double> full);

}  // namespace headroom::memory
