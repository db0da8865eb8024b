#include "memory/replay.h"

#include <algorithm>

namespace headroom::memory {
namespace {

Bytes Tenths(std::int64_t tenths_of_mib) {
  return Bytes(tenths_of_mib * 1048576 / 10);
}

// The recorded model in front of the tiers: what it held as weights, no workspace beyond that.
Plan Recorded(Bytes held) {
  Plan plan;
  plan.model = "the recorded model";
  plan.weights = held;
  plan.workspace = {{Milliseconds(30'000), Bytes(0)}};
  plan.exact = true;
  return plan;
}

struct Gpu {
  std::optional<Bytes> total, others, ours;
};

// Others' use of one row; without a column for it, whatever is beyond the first row's use.
Gpu Of(const Sample& sample, std::optional<Bytes> gpu, std::optional<Bytes> first_ours) {
  Gpu seen;
  seen.total = sample.vram_total ? sample.vram_total : gpu;
  seen.others = sample.vram_others;
  seen.ours = sample.vram_ours;
  if (!sample.vram_used) return seen;
  if (seen.others && !seen.ours) seen.ours = std::max(*sample.vram_used - *seen.others, Bytes(0));
  if (!seen.ours) seen.ours = std::min(*sample.vram_used, first_ours.value_or(*sample.vram_used));
  if (!seen.others) seen.others = std::max(*sample.vram_used - *seen.ours, Bytes(0));
  return seen;
}

struct Zones {
  std::array<std::optional<Zone>, kGauges> of;
};

Zones Recorded(const Thresholds& thresholds, const Sample& sample, const Gpu& gpu) {
  Zones zones;
  const auto at = [&](Gauge gauge) -> std::optional<Zone>& {
    return zones.of[static_cast<std::size_t>(gauge)];
  };
  if (sample.vram_used && gpu.total)
    at(Gauge::kVram) = VramZone(thresholds, *sample.vram_used, *gpu.total);
  if (sample.ram)
    at(Gauge::kRam) =
        RamThresholds(thresholds, sample.memory_high, sample.host_total).Of(*sample.ram);
  if (sample.swap) at(Gauge::kSwap) = SwapZone(thresholds, *sample.swap);
  at(Gauge::kPressure) = PressureZone(thresholds, sample.psi_some, sample.psi_full);
  return zones;
}

}  // namespace

std::vector<Plan> ExampleTiers() {
  std::vector<Plan> tiers(3);
  tiers[0] = {.model = "canary-1b-flash",
              .quantisation = "Q8_0",
              .device = "the GPU",
              .kind = DeviceKind::kDiscrete,
              .weights = Tenths(9986),
              .kv = Tenths(218),
              .workspace = {{Milliseconds(5'000), MiB(50)},
                            {Milliseconds(11'000), MiB(110)},
                            {Milliseconds(30'000), MiB(301)},
                            {Milliseconds(40'000), MiB(401)}},
              .driver = MiB(240),
              .margin = {},
              .host = MiB(400),
              .exact = false};
  tiers[1] = {.model = "canary-180m-flash",
              .quantisation = "Q8_0",
              .device = "the GPU",
              .kind = DeviceKind::kDiscrete,
              .weights = MiB(200),
              .kv = MiB(12),
              .workspace = {{Milliseconds(8'000), MiB(45)}, {Milliseconds(30'000), MiB(170)}},
              .driver = MiB(240),
              .margin = {},
              .host = MiB(350),
              .exact = false};
  tiers[2] = {.model = "whisper-base",
              .quantisation = "F16",
              .device = "the CPU",
              .kind = DeviceKind::kCpu,
              .weights = Tenths(1406),
              .kv = Tenths(262),
              .workspace = {{Milliseconds(30'000), Tenths(176)}},
              .driver = {},
              .margin = {},
              .host = MiB(60),
              .exact = false};
  return tiers;
}

Result<Replay> ReplayTrace(const Trace& trace, const Policy& base, std::optional<Bytes> gpu) {
  TRY(Validate(base));
  Replay replay;
  if (trace.rows.empty()) return replay;
  if (base.tiers.size() >= kMaxTiers)
    return Fail(Errc::kInvalid, "a replay needs one tier for the recorded model: at most {}",
                kMaxTiers - 1);

  const auto first = std::find_if(trace.rows.begin(), trace.rows.end(),
                                  [](const TraceRow& row) { return row.sample.vram_used; });
  Policy policy = base;
  State state;
  std::optional<Bytes> first_ours;
  if (first != trace.rows.end()) {
    const Gpu seen = Of(first->sample, gpu, std::nullopt);
    first_ours = seen.ours;
    if (seen.total && seen.total->n > 0) {
      const Plan plan = Recorded(*seen.ours);
      const Room room{.total = *seen.total, .others = seen.others.value_or(Bytes(0)), .host = {}};
      const FitResult fit = Judge(plan, policy.chunks.front(), room, policy.rules);
      replay.start = fmt::format("what was loaded would {}be admitted: {}",
                                 fit.fit == Fit::kUnsafe ? "not " : "", fit.text);
      policy.tiers.insert(policy.tiers.begin(), plan);
      state.target = Target{0, 0};
      state.admitted_others = state.loaded_others = state.change_others = room.others;
    }
  }

  const TraceRow* before = nullptr;
  Zones zones;
  const auto lasts = [&](Milliseconds time) {
    replay.length += time;
    for (std::size_t g = 0; g < kGauges; ++g) {
      if (zones.of[g]) replay.time[g][static_cast<std::size_t>(*zones.of[g])] += time;
    }
  };
  const MonoTime zero{std::chrono::hours(1)};
  for (const TraceRow& row : trace.rows) {
    if (before) {
      const Milliseconds until = row.at - before->at;
      lasts(before->holds ? std::min(until, *before->holds) : until);
    }
    before = &row;
    const Gpu seen = Of(row.sample, gpu, first_ours);
    const auto changed = [&](Zones now) {
      for (std::size_t g = 0; g < kGauges; ++g) {
        if (!now.of[g]) now.of[g] = zones.of[g];
      }
      return now;
    };
    const Zones recorded = Recorded(policy.thresholds, row.sample, seen);

    Sample sample = row.sample;
    if (!trace.has_wanted) sample.wanted = true;
    sample.vram_total = seen.total;
    if (sample.vram_used && seen.others) {
      Bytes held;
      if (state.target && policy.tiers[state.target->tier].kind == DeviceKind::kDiscrete)
        held = policy.tiers[state.target->tier].Peak(policy.SizeOf(*state.target)).bytes +
               state.tiers[state.target->tier].excess;
      // The recorded model as it was recorded; what the governor chose as it was planned.
      if (state.target && state.target->tier == 0 && policy.tiers.size() > base.tiers.size())
        held = *seen.ours;
      sample.vram_others = seen.others;
      sample.vram_ours = held;
      sample.vram_used = *seen.others + held;
    }
    Outcome outcome = Step(policy, state, sample, zero + row.at);
    state = outcome.state;
    ++replay.steps;
    const Zones now = changed(recorded);
    for (std::size_t g = 0; g < kGauges; ++g) {
      const Gauge gauge = static_cast<Gauge>(g);
      if (!now.of[g] || now.of[g] == zones.of[g] || (!zones.of[g] && now.of[g] == Zone::kSafe))
        continue;
      Action action;
      action.gauge = gauge;
      action.from = zones.of[g].value_or(Zone::kSafe);
      action.to = *now.of[g];
      action.reason = gauge == Gauge::kVram
                          ? fmt::format("{:.1f} % of {} MiB as recorded",
                                        static_cast<double>(row.sample.vram_used->n) * 100 /
                                            static_cast<double>(seen.total->n),
                                        Mebibytes(*seen.total))
                      : gauge == Gauge::kRam  ? FormatDecimal(*row.sample.ram) + " as recorded"
                      : gauge == Gauge::kSwap ? FormatDecimal(*row.sample.swap) + " as recorded"
                                              : std::string("host pressure as recorded");
      replay.events.push_back({row.at, std::move(action), ""});
    }
    zones = recorded;
    for (std::size_t g = 0; g < kGauges; ++g) zones.of[g] = now.of[g];
    for (Action& action : outcome.actions) {
      if (action.kind == ActionKind::kZone && action.gauge != Gauge::kGpu) continue;
      std::string target;
      if (action.kind == ActionKind::kLoad || action.kind == ActionKind::kEndWorker ||
          action.kind == ActionKind::kQuarantine || action.kind == ActionKind::kCorrectPlan)
        target =
            fmt::format("{}, {:g} s", policy.tiers[action.target.tier].Title(),
                        static_cast<double>(policy.chunks[action.target.chunk].count()) / 1000);
      replay.events.push_back({row.at, std::move(action), std::move(target)});
    }
  }
  if (before && before->holds) lasts(*before->holds);
  return replay;
}

}  // namespace headroom::memory
