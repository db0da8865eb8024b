// The workers: at most one that decodes, a quick one beside it while it is being loaded, and those
// that are on their way out. A new one is started only when the old one's process is gone and, on a
// card, its memory is back. Single-threaded like the dispatcher that owns it.
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "asr/scheduler/runner.h"

namespace headroom::asr {

struct PoolEvent;

class WorkerPool {
 public:
  enum class SlotRole { kMain, kQuick };
  struct Slot {
    memory::Target target;
    std::unique_ptr<Runner> runner;  // null: not started yet
    bool ready = false;
    ModelTraits traits;
    WorkerStats stats;
    MonoTime since{};
  };

  WorkerPool(const std::vector<Tier>& tiers, const memory::Policy& policy, RunnerMaker& maker,
             std::function<void()> wake, const Clock& clock,
             std::function<void(const TierEvent&)> tell);

  /// Ends whoever is there.
  void Assign(SlotRole post, memory::Target target);
  void Dismiss(SlotRole post, const memory::Sample& numbers);
  /// nullptr: nobody was assigned.
  Slot* At(SlotRole post);
  const Slot* At(SlotRole post) const { return const_cast<WorkerPool*>(this)->At(post); }
  Runner* Ready(SlotRole post);

  /// Takes what has happened, checks on memory that should be back, starts what may be started.
  /// `numbers`: the latest, measured at `measured_at`.
  std::vector<PoolEvent> Turn(const memory::Sample& numbers, MonoTime measured_at);

  /// Another program of ours has the card.
  bool GpuTaken() const { return taken_.has_value(); }
  bool GpuLeft() const;
  bool Empty() const;
  /// Something is to be looked at again soon: take samples often.
  bool Unsettled() const { return !leaving_.empty(); }
  std::vector<pid_t> Pids() const;

 private:
  struct Leaving {
    Slot slot;
    Bytes held, used_before;  // of the card; zero: not known
    MonoTime asked{}, ended{};
    bool gone = false;
  };
  std::optional<Slot>& Place(SlotRole post) { return seats_[static_cast<std::size_t>(post)]; }
  bool OnGpu(memory::Target target) const { return tiers_[target.tier].on_gpu(); }
  void CheckLeaving(const memory::Sample& numbers, MonoTime measured_at);
  void Start(SlotRole post, std::vector<PoolEvent>& events);
  void Tell(TierChange change, memory::Target target, Milliseconds took, std::string text) const;

  const std::vector<Tier>& tiers_;
  const memory::Policy& policy_;
  RunnerMaker& maker_;
  const std::function<void()> wake_;
  const Clock& clock_;
  const std::function<void(const TierEvent&)> tell_;

  std::array<std::optional<Slot>, 2> seats_;
  std::vector<Leaving> leaving_;
  std::optional<std::size_t> taken_;  // the tier whose device was busy
};

struct PoolEvent {
  WorkerPool::SlotRole post = WorkerPool::SlotRole::kMain;
  memory::Target target;
  RunnerEvent event;
};

}  // namespace headroom::asr
