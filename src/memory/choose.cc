#include "memory/choose.h"

#include <algorithm>

namespace headroom::memory {

bool Moment::OnGpu(Target target) const {
  return policy.tiers[target.tier].kind == DeviceKind::kDiscrete;
}

Bytes Moment::Peak(Target target) const {
  return policy.tiers[target.tier].Peak(policy.SizeOf(target)).bytes +
         state.tiers[target.tier].excess;
}

Bytes Moment::Noise() const {
  return Bytes(
      static_cast<std::int64_t>(static_cast<double>(total.n) * policy.timing.noise_percent / 100));
}

Zone Moment::ZoneAfter(Target target) const {
  const Bytes used = OnGpu(target) ? others + Peak(target) : others;
  return VramZone(policy.thresholds, used, total).value_or(Zone::kSafe);
}

bool Moment::Quarantined(std::size_t tier) const {
  return now < state.tiers[tier].quarantined_until;
}

bool Moment::Admits(Target target) const {
  const Plan& plan = policy.tiers[target.tier];
  const RunSize size = policy.SizeOf(target);
  if (Quarantined(target.tier) || ((excluded >> target.tier) & 1) != 0) return false;
  if (ram && *ram + plan.HostPeak(size) >= ram_thresholds.danger) return false;
  Room room;
  if (plan.kind == DeviceKind::kDiscrete) {
    if (!gpu_usable) return false;
    room = {.total = total, .others = others, .host = ram_available};
    if (ZoneAfter(target) >= Zone::kDanger) {
      // The threshold of the danger zone belongs to it, the fit rule's 85 % to the fit: a plan that
      // lands exactly there would be left again at once.
      return false;
    }
  } else {
    if (!ram_available) return true;  // nothing is known against it, and it is the last resort
    room = {.total = *ram_available, .others = {}, .host = {}};
  }
  return Measure(plan, size, room, policy.rules, state.tiers[target.tier].excess).fit !=
         Fit::kUnsafe;
}

bool Moment::MayReturn(Target target) const {
  if (!Admits(target)) return false;
  const TierState& tier = state.tiers[target.tier];
  if (!tier.left || !OnGpu(target)) return true;
  return ZoneAfter(target) < tier.left_zone || others <= tier.home_others + Noise();
}

}  // namespace headroom::memory
