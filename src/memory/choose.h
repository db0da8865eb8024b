// Which (tier, chunk, batch) may be loaded now. Pure; the governor's admission.
#pragma once

#include <optional>

#include "memory/governor.h"

namespace headroom::memory {

/// What admission looks at. Numbers are already clean.
struct Moment {
  const Policy& policy;
  const State& state;
  MonoTime now;
  std::uint32_t excluded = 0;          // Sample::excluded
  bool gpu_usable = false;             // its numbers are fresh and no program asked for it
  Bytes total, others;                 // of the GPU
  std::optional<Bytes> ram;            // ours without the present worker
  std::optional<Bytes> ram_available;  // with the present worker gone
  ZoneLevels<Bytes> ram_thresholds;

  Bytes Peak(Target target) const;      // device bytes, with what the plan was short of
  Zone ZoneAfter(Target target) const;  // of the GPU once `target` is loaded
  bool Quarantined(std::size_t tier) const;
  /// Fits, is not in quarantine, and leaves the service's RAM below danger.
  bool Admits(Target target) const;
  /// Admitted, and the pressure that made us leave that tier is gone: the zone after the move is
  /// lower than the one it left in, or others are back at what they were when it was loaded.
  bool MayReturn(Target target) const;
  bool OnGpu(Target target) const;
  Bytes Noise() const;  // movements of others up to this are none

  /// The best one in [from, end) for which `accept` holds.
  template <class Accept>
  std::optional<Target> Best(Target from, const Accept& accept) const {
    for (std::size_t tier = from.tier; tier < policy.tiers.size(); ++tier) {
      for (std::size_t chunk = 0; chunk < policy.chunks.size(); ++chunk) {
        for (const bool single : {false, true}) {
          const Target target{tier, chunk, single};
          if (target < from || (single && policy.tiers[tier].batch == 1)) continue;
          if (accept(target)) return target;
        }
      }
    }
    return std::nullopt;
  }
};

}  // namespace headroom::memory
