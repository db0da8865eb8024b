// The workers: at most one that decodes, a fallback beside it while it is being loaded, and those
// that are on their way out. A new one is started only when the old one's process is gone and, on a
// GPU, its memory is back. Single-threaded like the dispatcher that owns it.
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "asr/scheduler/runner.h"

namespace headroom::asr {

class WorkerPool {
 public:
  enum class SlotRole { kPrimary, kFallback };
  struct Slot {
    memory::Target target;
    std::unique_ptr<Runner> runner;  // null: not started yet
    bool ready = false;
    ModelTraits traits;
    WorkerStats stats;
    MonoTime since{};
  };
  /// What the runner of a slot has done.
  struct Event : RunnerEvent {
    SlotRole role = SlotRole::kPrimary;
    memory::Target target;
  };

  WorkerPool(const std::vector<Tier>& tiers, const memory::Policy& policy, RunnerMaker& maker,
             std::function<void()> wake, const Clock& clock,
             std::function<void(const TierEvent&)> report);

  /// Ends the worker that is there.
  void Assign(SlotRole role, memory::Target target);
  void Dismiss(SlotRole role, const memory::Sample& numbers);
  /// nullptr: none was assigned.
  Slot* At(SlotRole role);
  const Slot* At(SlotRole role) const { return const_cast<WorkerPool*>(this)->At(role); }
  Runner* Ready(SlotRole role);

  /// Takes what has happened, checks on memory that should be back, starts what may be started.
  /// `numbers`: the latest, measured at `measured_at`.
  std::vector<Event> Tick(const memory::Sample& numbers, MonoTime measured_at);

  /// Another program of ours has the GPU.
  bool GpuTaken() const { return taken_.has_value(); }
  bool GpuLeft() const;
  bool Empty() const;
  /// Something is to be looked at again soon: take samples often.
  bool Unsettled() const { return !leaving_.empty(); }
  std::vector<pid_t> Pids() const;

 private:
  struct Leaving {
    Slot slot;
    Bytes held, used_before;  // of the GPU; zero: not known
    MonoTime asked{}, ended{};
    bool gone = false;
  };
  std::optional<Slot>& SlotOf(SlotRole role) { return slots_[static_cast<std::size_t>(role)]; }
  bool OnGpu(memory::Target target) const { return tiers_[target.tier].on_gpu(); }
  void CheckLeaving(const memory::Sample& numbers, MonoTime measured_at);
  void Start(SlotRole role, std::vector<Event>& events);
  void Report(TierChange change, memory::Target target, Milliseconds took, std::string text) const;

  const std::vector<Tier>& tiers_;
  const memory::Policy& policy_;
  RunnerMaker& maker_;
  const std::function<void()> wake_;
  const Clock& clock_;
  const std::function<void(const TierEvent&)> report_;

  std::array<std::optional<Slot>, 2> slots_;
  std::vector<Leaving> leaving_;
  std::optional<std::size_t> taken_;  // the tier whose device was busy
};

}  // namespace headroom::asr
