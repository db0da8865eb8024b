// For the governor's tests: three tiers on a 4096 MiB GPU and a night that passes step by step.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "memory/governor.h"

namespace headroom::memory {

inline Plan MakePlan(const char* model, DeviceKind kind, std::int64_t resident,
                     std::int64_t workspace, std::int64_t host) {
  Plan plan;
  plan.model = model;
  plan.kind = kind;
  plan.weights = MiB(resident);
  plan.host = MiB(host);
  plan.workspace = {{Milliseconds(8'000), MiB(workspace / 4)},
                    {Milliseconds(15'000), MiB(workspace / 2)},
                    {Milliseconds(30'000), MiB(workspace)}};
  plan.exact = true;
  return plan;
}

/// big: 1300 + 300 (39 %), small: 500 + 100 (15 %), cpu: 250 of the host's.
inline Policy MakePolicy() {
  Policy policy;
  policy.tiers = {MakePlan("big", DeviceKind::kDiscrete, 1300, 300, 400),
                  MakePlan("small", DeviceKind::kDiscrete, 500, 100, 300),
                  MakePlan("cpu", DeviceKind::kCpu, 200, 50, 0)};
  return policy;
}

/// The same, and the tiers on the GPU decode four at once: big needs 500, small 200 for that.
inline Policy MakeBatchPolicy() {
  Policy policy = MakePolicy();
  for (Plan& plan : policy.tiers) {
    if (plan.kind != DeviceKind::kDiscrete) continue;
    plan.batch = 4;
    plan.batched = plan.workspace;
    for (Workspace& entry : plan.batched) entry.bytes += entry.bytes;
  }
  policy.tiers[0].batched.back().bytes = MiB(500);
  return policy;
}

class Night {
 public:
  explicit Night(Policy with = MakePolicy()) : policy(std::move(with)) {
    sample.vram_total = MiB(4096);
    sample.host_total = GiB(31);
    sample.ram_available = GiB(20);
    sample.ram = Megabytes(300);
    sample.swap = Bytes(0);
    sample.psi_some = sample.psi_full = 0;
    sample.wanted = true;
  }

  /// One step `after` the last; what we hold is what the decision says, and `excess`.
  std::vector<Action> Step(Milliseconds after = Milliseconds(100)) {
    now += after;
    if (gpu_answers) {
      Bytes held;
      if (state.target && policy.tiers[state.target->tier].kind == DeviceKind::kDiscrete)
        held = policy.tiers[state.target->tier].Peak(policy.SizeOf(*state.target)).bytes + excess;
      sample.vram_total = MiB(4096);
      sample.vram_others = others;
      sample.vram_ours = held;
      sample.vram_used = std::min(others + held, MiB(4096));
    } else {
      sample.vram_total = sample.vram_used = sample.vram_others = sample.vram_ours = std::nullopt;
    }
    Outcome outcome = memory::Step(policy, state, sample, now);
    state = outcome.state;
    sample.failure.reset();
    sample.suspending = sample.resumed = false;
    all.insert(all.end(), outcome.actions.begin(), outcome.actions.end());
    return outcome.actions;
  }

  /// Steps of a second; every action on the way.
  std::vector<Action> Pass(Milliseconds time) {
    std::vector<Action> seen;
    for (Milliseconds done{}; done < time; done += Milliseconds(1000)) {
      for (Action& action : Step(Milliseconds(1000))) seen.push_back(std::move(action));
    }
    return seen;
  }

  /// The present target: "big/30", "cpu/30", "none".
  std::string Loaded() const {
    if (!state.target) return "none";
    return fmt::format("{}/{}", policy.tiers[state.target->tier].model,
                       policy.chunks[state.target->chunk].count() / 1000);
  }

  Policy policy;
  State state;
  Sample sample;
  Bytes others, excess;
  bool gpu_answers = true;
  MonoTime now{std::chrono::hours(1)};
  std::vector<Action> all;
};

inline bool Has(const std::vector<Action>& actions, ActionKind kind) {
  return std::any_of(actions.begin(), actions.end(),
                     [&](const Action& action) { return action.kind == kind; });
}

/// "load big, …" lines for a failing test.
inline std::string ActionKinds(const std::vector<Action>& actions) {
  std::string text;
  for (const Action& action : actions)
    text += fmt::format("{}{}", text.empty() ? "" : " ", Name(action.kind));
  return text;
}

}  // namespace headroom::memory
