#include "memory/zones.h"

#include <algorithm>
#include <cmath>

namespace headroom::memory {
namespace {

template <class T>
Result<> Ascending(const ZoneLevels<T>& thresholds, std::string_view name, T largest) {
  if (!(thresholds.warning > T(0)))
    return Fail(Errc::kInvalid, "{}_warning must be above zero", name);
  if (!(thresholds.warning < thresholds.danger && thresholds.danger < thresholds.critical))
    return Fail(Errc::kInvalid, "{0}_warning, {0}_danger and {0}_critical must ascend", name);
  if (!(thresholds.critical <= largest))
    return Fail(Errc::kInvalid, "{}_critical is too large", name);
  return {};
}

Bytes Share(Bytes whole, double percent) {
  return Bytes(std::llround(static_cast<double>(whole.n) * percent / 100));
}

}  // namespace

std::string_view Name(Zone zone) {
  switch (zone) {
    case Zone::kSafe:
      return "safe";
    case Zone::kWarning:
      return "warning";
    case Zone::kDanger:
      return "danger";
    case Zone::kCritical:
      return "critical";
  }
  return "critical";
}

std::optional<Zone> ZoneFromName(std::string_view name) {
  for (const Zone zone : {Zone::kSafe, Zone::kWarning, Zone::kDanger, Zone::kCritical}) {
    if (Name(zone) == name) return zone;
  }
  return std::nullopt;
}

Result<> Validate(const Thresholds& thresholds) {
  constexpr Bytes kLargest(std::int64_t{1} << 50);
  TRY(Ascending(thresholds.vram, "vram", 100.0));
  TRY(Ascending(thresholds.ram, "ram", kLargest));
  TRY(Ascending(thresholds.ram_percent, "ram_percent", 100.0));
  TRY(Ascending(thresholds.swap, "swap", kLargest));
  TRY(Ascending(thresholds.psi_some, "psi_some", 100.0));
  TRY(Ascending(thresholds.psi_full, "psi_full", 100.0));
  return {};
}

std::optional<Zone> VramZone(const Thresholds& thresholds, Bytes used, Bytes total) {
  if (total.n <= 0 || used.n < 0) return std::nullopt;
  return thresholds.vram.Of(static_cast<double>(used.n) * 100 / static_cast<double>(total.n));
}

std::optional<Zone> SwapZone(const Thresholds& thresholds, Bytes swap) {
  if (swap.n < 0) return std::nullopt;
  return thresholds.swap.Of(swap);
}

ZoneLevels<Bytes> RamThresholds(const Thresholds& thresholds, std::optional<Bytes> memory_high,
                                std::optional<Bytes> host_total) {
  ZoneLevels<Bytes> levels = thresholds.ram;
  for (const std::optional<Bytes>& whole : {memory_high, host_total}) {
    if (!whole || whole->n <= 0) continue;
    const auto lower = [&](Bytes& threshold, double percent) {
      threshold = std::min(threshold, Share(*whole, percent));
    };
    lower(levels.warning, thresholds.ram_percent.warning);
    lower(levels.danger, thresholds.ram_percent.danger);
    lower(levels.critical, thresholds.ram_percent.critical);
  }
  return levels;
}

std::optional<Zone> PressureZone(const Thresholds& thresholds, std::optional<double> some,
                                 std::optional<double> full) {
  std::optional<Zone> worst;
  const auto add = [&](const std::optional<double>& value, const ZoneLevels<double>& levels) {
    if (!value || !std::isfinite(*value) || *value < 0) return;
    worst = std::max(worst.value_or(Zone::kSafe), levels.Of(*value));
  };
  add(some, thresholds.psi_some);
  add(full, thresholds.psi_full);
  return worst;
}

}  // namespace headroom::memory
