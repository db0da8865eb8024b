#include "memory/governor.h"

namespace headroom::memory {

RunSize Policy::SizeOf(const Target& target) const {
  return {chunks[target.chunk], tiers[target.tier].batch > 1 && !target.single};
}

Result<> Validate(const Policy& policy) {
  if (policy.tiers.empty() || policy.tiers.size() > kMaxTiers)
    return Fail(Errc::kInvalid, "there must be 1 to {} tiers, not {}", kMaxTiers,
                policy.tiers.size());
  for (const Plan& plan : policy.tiers) TRY(Validate(plan));
  if (policy.chunks.empty()) return Fail(Errc::kInvalid, "there must be a longest chunk");
  for (std::size_t i = 0; i < policy.chunks.size(); ++i) {
    if (policy.chunks[i].count() <= 0 || (i > 0 && policy.chunks[i] >= policy.chunks[i - 1]))
      return Fail(Errc::kInvalid, "chunk lengths must be above zero and descend");
  }
  TRY(Validate(policy.thresholds));
  const FitRules& rules = policy.rules;
  if (!(rules.safe > 0 && rules.safe <= rules.marginal && rules.marginal <= rules.peak &&
        rules.peak <= 100))
    return Fail(Errc::kInvalid, "fit rules must ascend and be percentages");
  return {};
}

std::string_view Name(Failure failure) {
  switch (failure) {
    case Failure::kOutOfMemory:
      return "oom";
    case Failure::kSticky:
      return "sticky";
    case Failure::kLost:
      return "lost";
    case Failure::kHang:
      return "hang";
    case Failure::kCrash:
      return "crash";
  }
  return "crash";
}

std::optional<Failure> FailureFromName(std::string_view name) {
  for (const Failure failure :
       {Failure::kOutOfMemory, Failure::kSticky, Failure::kLost, Failure::kHang, Failure::kCrash}) {
    if (Name(failure) == name) return failure;
  }
  return std::nullopt;
}

std::string_view Name(Gauge gauge) {
  switch (gauge) {
    case Gauge::kVram:
      return "VRAM";
    case Gauge::kRam:
      return "RAM";
    case Gauge::kSwap:
      return "swap";
    case Gauge::kPressure:
      return "pressure";
    case Gauge::kGpu:
      return "card";
  }
  return "card";
}

std::optional<Gauge> GaugeFromName(std::string_view name) {
  for (std::size_t i = 0; i < kGauges; ++i) {
    if (Name(static_cast<Gauge>(i)) == name) return static_cast<Gauge>(i);
  }
  return std::nullopt;
}

std::string_view Name(ActionKind kind) {
  switch (kind) {
    case ActionKind::kZone:
      return "zone";
    case ActionKind::kNotify:
      return "tell";
    case ActionKind::kStopSpeculation:
      return "stop_speculation";
    case ActionKind::kAllowSpeculation:
      return "allow_speculation";
    case ActionKind::kFinishUtterance:
      return "finish_utterance";
    case ActionKind::kEndWorker:
      return "end_worker";
    case ActionKind::kLoad:
      return "load";
    case ActionKind::kQuarantine:
      return "quarantine";
    case ActionKind::kCorrectPlan:
      return "correct_plan";
    case ActionKind::kDropCaches:
      return "drop_caches";
    case ActionKind::kPauseDecoding:
      return "pause_decoding";
    case ActionKind::kResumeDecoding:
      return "resume_decoding";
    case ActionKind::kSaveAndRestart:
      return "save_and_restart";
  }
  return "zone";
}

std::optional<ActionKind> ActionKindFromName(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ActionKind::kSaveAndRestart); ++i) {
    if (Name(static_cast<ActionKind>(i)) == name) return static_cast<ActionKind>(i);
  }
  return std::nullopt;
}

}  // namespace headroom::memory
