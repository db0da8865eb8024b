#include "asr/scheduler/tier.h"

#include <algorithm>

namespace headroom::asr {

std::string WhyNot(const Tier& tier, const RecognitionOptions& options) {
  const ModelTraits& traits = tier.traits;
  if (traits.architecture.empty()) return "";
  const auto& known = traits.languages;
  if (!options.language.empty() && !known.empty() &&
      std::ranges::find(known, options.language) == known.end())
    return fmt::format("{} does not know the language \"{}\"", tier.Title(), options.language);
  const auto& into = traits.translates_to;
  if (options.translate_to.empty() || options.translate_to == options.language) return "";
  if (into.empty()) return fmt::format("{} cannot translate", tier.Title());
  if (std::ranges::find(into, options.translate_to) == into.end())
    return fmt::format("{} cannot translate into \"{}\"", tier.Title(), options.translate_to);
  return "";
}

Result<memory::Policy> PolicyFor(const std::vector<Tier>& tiers, memory::Policy policy) {
  policy.tiers.clear();
  for (const Tier& tier : tiers) policy.tiers.push_back(tier.plan);
  if (tiers.empty()) return Fail(Errc::kInvalid, "no tier: there is nothing to decode with");
  TRY(memory::Validate(policy));
  return policy;
}

}  // namespace headroom::asr
