#include "asr/scheduler/tier.h"

#include <algorithm>

namespace headroom::asr {

std::string WhyNot(const Tier& tier, const RecognitionOptions& request) {
  const ModelTraits& traits = tier.traits;
  if (traits.architecture.empty()) return "";
  const auto& known = traits.languages;
  if (!request.language.empty() && !known.empty() &&
      std::ranges::find(known, request.language) == known.end())
    return fmt::format("{} does not know the language \"{}\"", tier.Title(), request.language);
  const auto& into = traits.translates_to;
  if (request.translate_to.empty() || request.translate_to == request.language) return "";
  if (into.empty()) return fmt::format("{} cannot translate", tier.Title());
  if (std::ranges::find(into, request.translate_to) == into.end())
    return fmt::format("{} cannot translate into \"{}\"", tier.Title(), request.translate_to);
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
