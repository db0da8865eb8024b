#include "memory/governor.h"

#include <algorithm>
#include <cmath>

#include "memory/choose.h"

namespace headroom::memory {
namespace {

using std::chrono::duration_cast;

std::string Seconds(Milliseconds time) {
  const double seconds = static_cast<double>(time.count()) / 1000;
  return seconds < 120 ? fmt::format("{:g} s", seconds) : fmt::format("{:.0f} min", seconds / 60);
}

Milliseconds Doubled(Milliseconds base, int times, Milliseconds longest) {
  for (int i = 0; i < times && base < longest; ++i) base *= 2;
  return std::min(base, longest);
}

std::optional<Bytes> Clean(std::optional<Bytes> bytes) {
  constexpr std::int64_t kLargest = std::int64_t{1} << 50;
  return bytes && bytes->n >= 0 && bytes->n <= kLargest ? bytes : std::nullopt;
}

Milliseconds CoolDown(Failure failure) {
  switch (failure) {
    case Failure::kOutOfMemory:
    case Failure::kCrash:
      return Milliseconds(60'000);
    case Failure::kSticky:
      return Milliseconds(30'000);  // a new process is well again
    case Failure::kHang:
      return Milliseconds(120'000);
    case Failure::kLost:
      return Milliseconds(300'000);
  }
  return Milliseconds(60'000);
}

std::string_view Describe(Failure failure) {
  switch (failure) {
    case Failure::kOutOfMemory:
      return "ran out of device memory";
    case Failure::kSticky:
      return "met a GPU error that stays until its process ends";
    case Failure::kLost:
      return "lost its GPU";
    case Failure::kHang:
      return "did not answer by its deadline";
    case Failure::kCrash:
      return "crashed";
  }
  return "failed";
}

// One step. The order of the calls in Run is the order of the actions.
class StepContext {
 public:
  StepContext(const Policy& policy, State state, const Sample& sample, MonoTime now)
      : policy_(policy), timing_(policy.timing), sample_(sample), s_(state), now_(now) {}

  Outcome Run() {
    OnTime();
    OnGpuNumbers();
    OnHostNumbers();
    Report();
    OnNews();
    OnFailure();
    if (!OnSuspend()) {
      OnHostPressure();
      OnGpu();
      OnIdle();
      OnExcluded();
      OnDemand();
      OnUp();
    }
    return {s_, std::move(actions_)};
  }

 private:
  // What is known.

  void OnTime() {
    if (!s_.started) {
      s_.started = true;
      s_.last = s_.changed_at = s_.gpu_at = now_;
    }
    now_ = std::max(now_, s_.last);
    if (now_ - s_.last > timing_.gap) s_.up_since = s_.calm_since = s_.quiet_since = std::nullopt;
    s_.last = now_;
  }

  void OnGpuNumbers() {
    if (sample_.gpu_rests && s_.gpu_known) {
      fresh_ = true;
      used_ = s_.others;
      ours_ = Bytes(0);
      s_.gpu_at = now_;
      return;
    }
    const auto total = Clean(sample_.vram_total);
    const auto used = Clean(sample_.vram_used);
    fresh_ = total && total->n > 0 && used;
    if (!fresh_) return;
    if (zone(Gauge::kGpu) != Zone::kSafe) s_.outside = true;
    used_ = std::min(*used, *total);
    const Bytes planned = s_.target && OnGpu(*s_.target) ? Peak(*s_.target) : Bytes(0);
    auto others = Clean(sample_.vram_others);
    ours_ = Clean(sample_.vram_ours);
    if (others && *others > used_) others.reset();
    if (ours_ && *ours_ > used_) ours_.reset();
    if (others && !ours_) ours_ = used_ - *others;
    if (!others && ours_) others = used_ - *ours_;
    if (!others) {
      others = std::max(used_ - planned, Bytes(0));
      // While a worker comes or goes the difference says nothing: keep what was known.
      if (s_.gpu_known && now_ - s_.changed_at < timing_.settle) others = s_.others;
    }
    s_.total = *total;
    s_.others = *others;
    s_.gpu_known = true;
    s_.gpu_at = now_;
    if (Moved(s_.others, s_.change_others)) s_.outside = true;
  }

  void OnHostNumbers() {
    ram_ = Clean(sample_.ram);
    ram_thresholds_ =
        RamThresholds(policy_.thresholds, Clean(sample_.memory_high), Clean(sample_.host_total));
    if (s_.target) held_ = policy_.tiers[s_.target->tier].HostPeak(policy_.SizeOf(*s_.target));
  }

  Moment Now() const {
    Moment moment{policy_,
                  s_,
                  now_,
                  sample_.excluded,
                  fresh_ && !sample_.yielded && !gpu_excluded_,
                  s_.total,
                  s_.others,
                  std::nullopt,
                  std::nullopt,
                  ram_thresholds_};
    if (ram_) moment.ram = std::max(*ram_ - held_, Bytes(0));
    if (const auto available = Clean(sample_.ram_available))
      moment.ram_available = HostRoom(*available, held_, Clean(sample_.limit_left)).total;
    return moment;
  }

  Bytes Peak(Target target) const {
    return policy_.tiers[target.tier].Peak(policy_.SizeOf(target)).bytes +
           s_.tiers[target.tier].excess;
  }
  bool OnGpu(Target target) const {
    return policy_.tiers[target.tier].kind == DeviceKind::kDiscrete;
  }
  bool Moved(Bytes a, Bytes b) const {
    return std::abs(static_cast<double>(a.n - b.n)) >
           static_cast<double>(s_.total.n) * timing_.noise_percent / 100;
  }
  std::string Title(Target target) const {
    const Plan& plan = policy_.tiers[target.tier];
    const RunSize size = policy_.SizeOf(target);
    return fmt::format("{}, at most {}{} at once", plan.Title(),
                       size.batched ? fmt::format("{} times ", plan.batch) : std::string(),
                       Seconds(size.chunk));
  }
  std::string GpuUse() const {
    return fmt::format("GPU memory is {:.0f} % full ({} of {} MiB, {} by others)",
                       static_cast<double>(used_.n) * 100 / static_cast<double>(s_.total.n),
                       Mebibytes(used_), Mebibytes(s_.total), Mebibytes(s_.others));
  }

  // Saying and doing.

  Action& Do(ActionKind kind, std::string reason) {
    Action& action = actions_.emplace_back();
    action.kind = kind;
    action.reason = std::move(reason);
    return action;
  }

  void Notify(Gauge gauge, Zone zone, std::string reason) {
    const auto i = static_cast<std::size_t>(gauge);
    if (s_.notified[i] >= zone && now_ - s_.notified_at[i] < timing_.notify_again) return;
    s_.notified[i] = zone;
    s_.notified_at[i] = now_;
    Action& action = Do(ActionKind::kNotify, std::move(reason));
    action.gauge = gauge;
    action.to = zone;
  }

  template <class Reason>
  void SetZone(Gauge gauge, std::optional<Zone> zone, bool notify, const Reason& reason) {
    Zone& known = s_.zones[static_cast<std::size_t>(gauge)];
    if (!zone || *zone == known) return;
    const Zone from = std::exchange(known, *zone);
    Action& action = Do(ActionKind::kZone, reason());
    action.gauge = gauge;
    action.from = from;
    action.to = *zone;
    if (notify && *zone > from) Notify(gauge, *zone, reason());
  }

  void EndWorker(std::string reason) {
    if (!s_.target) return;
    if (sample_.decoding) s_.again = true;
    Action& action = Do(ActionKind::kEndWorker, std::move(reason));
    action.target = *s_.target;
    s_.target.reset();
    Changed();
  }

  void Load(Target target, std::string reason) {
    Action& action = Do(ActionKind::kLoad, std::move(reason));
    action.target = target;
    action.again = std::exchange(s_.again, false);
    s_.target = target;
    s_.admitted_others = s_.loaded_others = s_.others;
    s_.nothing_fits = false;
    Changed();
  }

  void Changed() {
    s_.changed_at = now_;
    s_.change_others = s_.others;
    s_.outside = false;
    s_.up_since = s_.leave_by = std::nullopt;
  }

  // For pressure on the GPU: the tier remembers what it has to wait for.
  void Remember(Zone zone) {
    TierState& tier = s_.tiers[s_.target->tier];
    const bool soon = tier.up_at != MonoTime{} && now_ - tier.up_at < timing_.steady;
    tier.leaves = soon ? std::min(tier.leaves + 1, 20) : 0;
    tier.left = true;
    tier.left_zone = zone;
    tier.home_others = s_.loaded_others;
  }

  // Zones.

  void Report() {
    if (fresh_) {
      const auto zone = VramZone(policy_.thresholds, used_, s_.total);
      // A resident model that was admitted into the warning zone is no news.
      const bool admitted = s_.target && OnGpu(*s_.target) && zone < Zone::kDanger &&
                            s_.others <= s_.admitted_others + Now().Noise();
      SetZone(Gauge::kVram, zone, !admitted,
              [&] { return fmt::format("{}: {}", GpuUse(), Name(*zone)); });
    }
    if (ram_) {
      const Zone zone = ram_thresholds_.Of(*ram_);
      SetZone(Gauge::kRam, zone, true, [&] {
        return fmt::format("this service takes {} of memory (thresholds {}, {}, {}): {}",
                           FormatDecimal(*ram_), FormatDecimal(ram_thresholds_.warning),
                           FormatDecimal(ram_thresholds_.danger),
                           FormatDecimal(ram_thresholds_.critical), Name(zone));
      });
    }
    if (const auto swap = Clean(sample_.swap)) {
      const auto zone = SwapZone(policy_.thresholds, *swap);
      SetZone(Gauge::kSwap, zone, true, [&] {
        return fmt::format("{} of this service's memory is swapped out: {}", FormatDecimal(*swap),
                           Name(*zone));
      });
    }
    const auto pressure = PressureZone(policy_.thresholds, sample_.psi_some, sample_.psi_full);
    SetZone(Gauge::kPressure, pressure, true, [&] {
      return fmt::format(
          "the computer is short of memory; of the last 10 s some programs waited for it {:.0f} %, "
          "all of them {:.0f} %: {}",
          sample_.psi_some.value_or(0), sample_.psi_full.value_or(0), Name(*pressure));
    });
    if (!s_.gpu_known) return;
    const auto silent = duration_cast<Milliseconds>(now_ - s_.gpu_at);
    const Zone zone = fresh_                       ? Zone::kSafe
                      : silent >= timing_.gpu_lost ? Zone::kDanger
                      : silent >= timing_.gpu_late
                          ? Zone::kWarning
                          : s_.zones[static_cast<std::size_t>(Gauge::kGpu)];
    SetZone(Gauge::kGpu, zone, true, [&] {
      return fresh_ ? std::string("the GPU answers again")
                    : fmt::format("the GPU has not answered for {}", Seconds(silent));
    });
  }

  Zone zone(Gauge gauge) const { return s_.zones[static_cast<std::size_t>(gauge)]; }

  // What happened.

  void OnNews() {
    if (sample_.wanted != s_.wanted || sample_.yielded != s_.yielded || sample_.resumed)
      s_.outside = true;
    s_.wanted = sample_.wanted;
    s_.yielded = sample_.yielded;
  }

  void Quarantine(std::size_t tier, Failure failure) {
    TierState& state = s_.tiers[tier];
    if (state.failures > 0 && now_ - state.quarantined_until > timing_.steady) state.failures = 0;
    // A CPU has no driver to recover: a new process is enough.
    const Milliseconds longest = policy_.tiers[tier].kind == DeviceKind::kCpu
                                     ? timing_.cool_down_cpu
                                     : timing_.cool_down_longest;
    const Milliseconds time =
        std::min(longest, Doubled(CoolDown(failure), state.failures, timing_.cool_down_longest));
    state.failures = std::min(state.failures + 1, 20);
    state.quarantined_until = std::max(state.quarantined_until, now_ + time);
    Action& action =
        Do(ActionKind::kQuarantine,
           fmt::format("{} {}: not used for {}{}", policy_.tiers[tier].Title(), Describe(failure),
                       Seconds(time),
                       state.failures > 1 ? fmt::format(" (failure {} in a row)", state.failures)
                                          : std::string()));
    action.target = {tier, 0};
    action.within = time;
  }

  void OnFailure() {
    if (!sample_.failure) return;
    const std::size_t tier = sample_.failed_tier ? *sample_.failed_tier
                             : s_.target         ? s_.target->tier
                                                 : policy_.tiers.size();
    if (tier >= policy_.tiers.size()) return;
    if (s_.target && s_.target->tier == tier)
      EndWorker(fmt::format("{} {}", policy_.tiers[tier].Title(), Describe(*sample_.failure)));
    s_.outside = true;
    const bool lost =
        *sample_.failure == Failure::kLost && policy_.tiers[tier].kind == DeviceKind::kDiscrete;
    for (std::size_t i = 0; i < policy_.tiers.size(); ++i) {
      const bool same_gpu = lost && policy_.tiers[i].kind == DeviceKind::kDiscrete;
      if (i == tier || same_gpu) Quarantine(i, *sample_.failure);
    }
  }

  bool OnSuspend() {
    if (sample_.suspending) {
      EndWorker("the computer is about to sleep, and a GPU rarely keeps its context in suspend");
      s_.suspended_at = now_;
      return true;
    }
    if (!s_.suspended_at) return false;
    // The clock stands still in suspend; a minute of it means that no suspend came.
    if (!sample_.resumed && now_ - *s_.suspended_at < Milliseconds(60'000)) return true;
    s_.suspended_at.reset();
    s_.outside = true;
    s_.up_since.reset();
    return false;
  }

  // The host.

  void OnHostPressure() {
    const Zone ram = zone(Gauge::kRam), swap = zone(Gauge::kSwap), psi = zone(Gauge::kPressure);
    const bool own = ram >= Zone::kDanger || swap >= Zone::kDanger;
    const bool danger = own || psi >= Zone::kDanger;
    if (ram == Zone::kCritical)
      Restart(fmt::format("service memory is critical ({})",
                          ram_ ? FormatDecimal(*ram_) : std::string("unknown")));
    else if (ram == Zone::kWarning &&
             (!s_.dropped_at || now_ - *s_.dropped_at >= timing_.drop_again)) {
      s_.dropped_at = now_;
      Do(ActionKind::kDropCaches, "service memory is in its warning zone");
    }
    if (danger && !s_.paused) {
      s_.pauses = s_.resumed_at != MonoTime{} && now_ - s_.resumed_at < timing_.steady
                      ? std::min(s_.pauses + 1, 20)
                      : 0;
      const std::string why =
          own ? fmt::format("{} is in danger",
                            ram >= Zone::kDanger ? "service memory" : "service swap")
              : std::string("the host is short of memory");
      Do(ActionKind::kPauseDecoding, fmt::format("{}: speech is kept, text comes later", why));
      EndWorker(fmt::format("{}: the worker's memory is given back", why));
      s_.paused = true;
      s_.paused_at = now_;
    }
    if (!s_.paused) return;
    if (danger) {
      s_.calm_since.reset();
      if (own && now_ - s_.paused_at >= timing_.restart_after)
        Restart(fmt::format("service memory did not fall in {} although every worker has ended",
                            Seconds(timing_.restart_after)));
      return;
    }
    if (!s_.calm_since) s_.calm_since = now_;
    const Milliseconds hold = Doubled(timing_.hold, s_.pauses, timing_.hold_longest);
    if (now_ - *s_.calm_since < hold) return;
    s_.paused = false;
    s_.resumed_at = now_;
    s_.calm_since.reset();
    s_.outside = true;
    Do(ActionKind::kResumeDecoding,
       fmt::format("memory has been out of danger for {}", Seconds(hold)));
  }

  void Restart(const std::string& why) {
    if (s_.restart_at && now_ - *s_.restart_at < timing_.between_changes) return;
    s_.restart_at = now_;
    Do(ActionKind::kSaveAndRestart,
       fmt::format("{}: state is saved and the service restarts", why));
  }

  // --- the GPU
  // ------------------------------------------------------------------------------------
  void OnGpu() {
    if (!s_.target) return;
    if (!OnGpu(*s_.target)) {
      Quiet(Zone::kSafe);
      return;
    }
    if (sample_.yielded) {
      Leave(Zone::kDanger, "a program asked for the GPU", false);
      return;
    }
    if (!fresh_) {
      if (zone(Gauge::kGpu) >= Zone::kWarning) StopSpeculation("the GPU does not answer");
      if (zone(Gauge::kGpu) >= Zone::kDanger)
        Leave(Zone::kDanger,
              fmt::format("the GPU has not answered for {}: it counts as lost",
                          Seconds(timing_.gpu_lost)),
              false);
      return;
    }
    LearnExcess();
    const Moment moment = Now();
    const Zone after = moment.ZoneAfter(*s_.target);
    const bool grew = s_.others > s_.admitted_others + moment.Noise();
    if (after == Zone::kCritical) {
      Leave(after, Pressure(after), true);
    } else if (after == Zone::kDanger) {
      OnDanger();
    } else {
      s_.leave_by.reset();
      if (after == Zone::kWarning && (grew || s_.shrink_due)) OnWarning(moment);
      if (after == Zone::kSafe) s_.shrink_due = false;
      Quiet(after);
    }
  }

  std::string Pressure(Zone zone) const {
    return fmt::format("GPU memory is in its {} zone ({} MiB planned, {} others' of {})",
                       Name(zone), Mebibytes(Peak(*s_.target)), Mebibytes(s_.others),
                       Mebibytes(s_.total));
  }

  // We hold more than was planned: the plan was wrong and is put right, once.
  void LearnExcess() {
    // Just after a change the worker that goes may still be counted as ours.
    if (!ours_ || now_ - s_.changed_at < timing_.settle) return;
    const Bytes planned = Peak(*s_.target);
    const Bytes slack(s_.total.n / 100);
    if (*ours_ <= planned + slack) return;
    TierState& tier = s_.tiers[s_.target->tier];
    tier.excess += *ours_ - planned;
    s_.shrink_due = true;
    s_.outside = true;
    Action& action =
        Do(ActionKind::kCorrectPlan, fmt::format("{} holds {} MiB where {} MiB were planned",
                                                 policy_.tiers[s_.target->tier].Title(),
                                                 Mebibytes(*ours_), Mebibytes(planned)));
    action.target = *s_.target;
    action.bytes = *ours_ - planned;
  }

  void OnDanger() {
    const bool soon = sample_.decoding && sample_.decode_left &&
                      sample_.decode_left->count() >= 0 && *sample_.decode_left <= timing_.finish;
    if (!s_.leave_by && soon) {
      s_.leave_by = now_ + timing_.finish;
      Action& action = Do(ActionKind::kFinishUtterance,
                          fmt::format("{}: the utterance may end first, in at most {}",
                                      Pressure(Zone::kDanger), Seconds(timing_.finish)));
      action.within = timing_.finish;
      return;
    }
    if (s_.leave_by && sample_.decoding && now_ < *s_.leave_by) return;
    Leave(Zone::kDanger, Pressure(Zone::kDanger), false);
  }

  // Ends the worker and loads the best that is admitted now and is not better than what we had.
  void Leave(Zone zone, const std::string& why, bool off_gpu) {
    const Target from = *s_.target;
    Notify(Gauge::kVram, zone, why);
    StopSpeculation(why);
    Remember(zone);
    gpu_excluded_ = off_gpu;
    EndWorker(why);
    s_.outside = true;  // whatever it was, it was not ours to plan
    if (s_.paused || !Wanted()) return;
    const Moment moment = Now();
    const auto next =
        moment.Best(from, [&](Target target) { return target != from && moment.Admits(target); });
    if (next) {
      Load(*next, fmt::format("{}: {} fits beside that", why, Title(*next)));
      s_.outside = false;
    }
  }

  void OnWarning(const Moment& moment) {
    const Target from = *s_.target;
    const std::string why = Pressure(Zone::kWarning);
    Notify(Gauge::kVram, Zone::kWarning, why);
    StopSpeculation(why);
    if (sample_.decoding) return;  // at the next pause
    s_.shrink_due = false;
    auto next = moment.Best(from, [&](Target target) {
      return target != from && moment.OnGpu(target) && moment.ZoneAfter(target) == Zone::kSafe &&
             moment.Admits(target);
    });
    if (!next && moment.Admits(from)) {
      s_.admitted_others = s_.others;  // nothing smaller would help, and it still fits
      return;
    }
    if (!next)
      next =
          moment.Best(from, [&](Target target) { return target != from && moment.Admits(target); });
    if (!next) return;
    Remember(Zone::kWarning);
    EndWorker(fmt::format("{}: a smaller plan at this pause", why));
    Load(*next, fmt::format("{}: {} leaves room", why, Title(*next)));
  }

  void StopSpeculation(const std::string& why) {
    s_.quiet_since.reset();
    if (!s_.speculation) return;
    s_.speculation = false;
    s_.quiet_others = s_.admitted_others;
    Do(ActionKind::kStopSpeculation, why);
  }

  void Quiet(Zone after) {
    const bool quiet = after == Zone::kSafe || s_.others <= s_.quiet_others;
    if (s_.speculation || !quiet) {
      s_.quiet_since.reset();
      return;
    }
    if (!s_.quiet_since) s_.quiet_since = now_;
    if (now_ - *s_.quiet_since < timing_.hold) return;
    s_.speculation = true;
    s_.quiet_since.reset();
    Do(ActionKind::kAllowSpeculation,
       fmt::format("there has been room for {}", Seconds(timing_.hold)));
  }

  // Coming and going.

  bool Wanted() const { return sample_.wanted || sample_.decoding || s_.again; }

  void OnIdle() {
    if (Wanted()) {
      s_.idle_since.reset();
      return;
    }
    if (!s_.idle_since) s_.idle_since = now_;
    if (!s_.target || now_ - *s_.idle_since < timing_.idle) return;
    EndWorker(timing_.idle > Milliseconds(0)
                  ? fmt::format("no speech for {}", Seconds(timing_.idle))
                  : std::string("its memory is wanted back"));
    for (TierState& tier : s_.tiers) tier.left = false;  // the next load is judged by its fit alone
    s_.outside = true;
  }

  // The utterance that waits needs another tier than the one there is.
  void OnExcluded() {
    if (!s_.target || s_.paused || sample_.decoding) return;
    if (((sample_.excluded >> s_.target->tier) & 1) == 0) return;
    const Moment moment = Now();
    const auto next = moment.Best({}, [&](Target target) { return moment.Admits(target); });
    if (!next) return;
    const std::string why =
        fmt::format("{} cannot decode what waits", policy_.tiers[s_.target->tier].Title());
    EndWorker(why);
    Load(*next, fmt::format("{}: {} can", why, Title(*next)));
    s_.outside = true;
  }

  void OnDemand() {
    if (s_.target || s_.paused || !Wanted()) return;
    const Moment moment = Now();
    const auto best = moment.Best({}, [&](Target target) { return moment.MayReturn(target); });
    const auto any =
        best ? best : moment.Best({}, [&](Target target) { return moment.Admits(target); });
    if (any) {
      if (s_.nothing_fits)
        Do(ActionKind::kResumeDecoding, fmt::format("{} can be used now", Title(*any)));
      Load(*any, fmt::format("speech is expected: {} is the best that fits", Title(*any)));
      return;
    }
    if (s_.nothing_fits) return;
    s_.nothing_fits = true;
    Do(ActionKind::kPauseDecoding,
       "no tier fits or all are in quarantine: speech is kept, text comes later");
  }

  void OnUp() {
    if (!s_.target || s_.paused) return;
    const Target from = *s_.target;
    const Moment moment = Now();
    const auto best = moment.Best({}, [&](Target t) { return t < from && moment.MayReturn(t); });
    if (!best) {
      s_.up_since.reset();
      return;
    }
    if (!s_.up_since) {
      s_.up_since = now_;
      s_.up_to = *best;
    }
    s_.up_to = std::max(s_.up_to, *best);
    const Target to = s_.up_to < from && moment.MayReturn(s_.up_to) ? s_.up_to : *best;
    const Milliseconds hold = Doubled(timing_.hold, s_.tiers[to.tier].leaves, timing_.hold_longest);
    if (now_ - *s_.up_since < hold || sample_.decoding) return;
    if (!s_.outside && now_ - s_.changed_at < timing_.between_changes) return;
    EndWorker(fmt::format("there has been room for {} for {}", policy_.tiers[to.tier].Title(),
                          Seconds(hold)));
    Load(to, fmt::format("back to {}: zone after it {}", Title(to), Name(moment.ZoneAfter(to))));
    s_.tiers[to.tier].up_at = now_;
  }

  const Policy& policy_;
  const Timing& timing_;
  const Sample& sample_;
  State s_;
  MonoTime now_;
  std::vector<Action> actions_;

  bool fresh_ = false;         // this sample has the GPU's numbers
  bool gpu_excluded_ = false;  // this step leaves the GPU altogether
  Bytes used_;                 // of the GPU
  std::optional<Bytes> ours_;  // of the GPU
  std::optional<Bytes> ram_;
  Bytes held_;  // by the worker there was when the step began
  ZoneLevels<Bytes> ram_thresholds_;
};

}  // namespace

Outcome Step(const Policy& policy, State state, const Sample& sample, MonoTime now) {
  return StepContext(policy, state, sample, now).Run();
}

std::optional<Bytes> PlannedUse(const Policy& policy, const State& state) {
  if (!state.gpu_known || !state.target) return std::nullopt;
  const Plan& plan = policy.tiers[state.target->tier];
  if (plan.kind != DeviceKind::kDiscrete) return std::nullopt;
  return state.others + plan.Peak(policy.SizeOf(*state.target)).bytes +
         state.tiers[state.target->tier].excess;
}

}  // namespace headroom::memory
