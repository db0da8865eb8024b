#include "asr/scheduler/worker_pool.h"

#include <algorithm>

#include "memory/fit.h"

namespace headroom::asr {
namespace {

using std::chrono::duration_cast;

// A driver gives memory back a moment after the process has gone: so long the next load waits…
constexpr Milliseconds kBackSoon{500};
// …and after so long it counts as kept.
constexpr Milliseconds kBackAtLast{5'000};
// Shorter audio than this is warmed up too, for what allocates by length.
constexpr Milliseconds kShortRun{3'000};

std::string Seconds(Milliseconds time) {
  return fmt::format("{:.1f} s", static_cast<double>(time.count()) / 1000);
}

}  // namespace

WorkerPool::WorkerPool(const std::vector<Tier>& tiers, const memory::Policy& policy,
                       RunnerMaker& maker, std::function<void()> wake, const Clock& clock,
                       std::function<void(const TierEvent&)> report)
    : tiers_(tiers),
      policy_(policy),
      maker_(maker),
      wake_(std::move(wake)),
      clock_(clock),
      report_(std::move(report)) {}

void WorkerPool::Assign(SlotRole role, memory::Target target) {
  Dismiss(role, {});
  SlotOf(role) = Slot{};
  SlotOf(role)->target = target;
}

void WorkerPool::Dismiss(SlotRole role, const memory::Sample& numbers) {
  std::optional<Slot>& slot = SlotOf(role);
  if (!slot) return;
  if (slot->runner) {
    slot->runner->End();
    Leaving leaving{.slot = std::move(*slot), .held = {}, .used_before = {}, .asked = clock_.Now()};
    if (OnGpu(leaving.slot.target) && leaving.slot.ready && numbers.vram_used) {
      const Tier& tier = tiers_[leaving.slot.target.tier];
      leaving.held =
          numbers.vram_ours.value_or(tier.plan.Peak(policy_.SizeOf(leaving.slot.target)).bytes);
      leaving.used_before = *numbers.vram_used;
    }
    leaving_.push_back(std::move(leaving));
  }
  slot.reset();
}

WorkerPool::Slot* WorkerPool::At(SlotRole role) {
  std::optional<Slot>& slot = SlotOf(role);
  return slot ? &*slot : nullptr;
}

Runner* WorkerPool::Ready(SlotRole role) {
  std::optional<Slot>& slot = SlotOf(role);
  return slot && slot->ready ? slot->runner.get() : nullptr;
}

std::vector<WorkerPool::Event> WorkerPool::Tick(const memory::Sample& numbers,
                                                MonoTime measured_at) {
  if (taken_ && maker_.Free(tiers_[*taken_])) taken_.reset();
  for (Leaving& leaving : leaving_) {
    while (auto event = leaving.slot.runner->Take()) {
      if (event->what != RunnerEvent::What::kEnded) continue;
      leaving.gone = true;
      leaving.ended = clock_.Now();
      Report(TierChange::kEnded, leaving.slot.target,
             duration_cast<Milliseconds>(leaving.ended - leaving.asked),
             fmt::format("the worker of {} has ended", tiers_[leaving.slot.target.tier].Title()));
    }
  }
  CheckLeaving(numbers, measured_at);

  std::vector<Event> events;
  for (const SlotRole role : {SlotRole::kPrimary, SlotRole::kFallback}) {
    std::optional<Slot>& slot = SlotOf(role);
    if (slot && !slot->runner) Start(role, events);
    while (slot && slot->runner) {
      auto event = slot->runner->Take();
      if (!event) break;
      slot->stats = event->stats;
      if (event->what == RunnerEvent::What::kLoaded && event->loaded) {
        slot->ready = true;
        slot->traits = *event->loaded;
        Report(TierChange::kReady, slot->target, event->took,
               fmt::format("{} is ready after {}", tiers_[slot->target.tier].Title(),
                           Seconds(event->took)));
      }
      events.push_back({std::move(*event), role, slot->target});
    }
  }
  return events;
}

void WorkerPool::CheckLeaving(const memory::Sample& numbers, MonoTime measured_at) {
  const MonoTime now = clock_.Now();
  std::erase_if(leaving_, [&](const Leaving& leaving) {
    if (!leaving.gone) return false;
    if (leaving.held.n <= 0) return true;
    const auto since = duration_cast<Milliseconds>(now - leaving.ended);
    const Tier& tier = tiers_[leaving.slot.target.tier];
    if (measured_at >= leaving.ended && numbers.vram_used) {
      const Bytes back = leaving.used_before - *numbers.vram_used;
      if (back.n >= leaving.held.n / 10 * 9) {
        Report(TierChange::kMemoryBack, leaving.slot.target, since,
               fmt::format("{} MiB of the GPU came back after {} had ended",
                           memory::Mebibytes(leaving.held), tier.Title()));
        return true;
      }
      if (since >= kBackAtLast) {
        Report(TierChange::kMemoryKept, leaving.slot.target, since,
               fmt::format("{} held {} MiB of the GPU; {} after it ended {} MiB have come back: "
                           "the driver kept the rest, or another program took it",
                           tier.Title(), memory::Mebibytes(leaving.held), Seconds(since),
                           memory::Mebibytes(std::max(back, Bytes(0)))));
        return true;
      }
    }
    return since >= kBackAtLast;
  });
}

void WorkerPool::Start(SlotRole role, std::vector<Event>& events) {
  Slot& slot = *SlotOf(role);
  const Tier& tier = tiers_[slot.target.tier];
  const MonoTime now = clock_.Now();
  for (const Leaving& leaving : leaving_) {
    if (!leaving.gone) return;
    if (tier.on_gpu() && OnGpu(leaving.slot.target) && now - leaving.ended < kBackSoon) return;
  }
  auto runner = maker_.Make(tier, wake_);
  if (!runner) {
    if (runner.error().code == Errc::kBusy) {
      taken_ = slot.target.tier;
      return;
    }
    events.push_back(
        {{.what = RunnerEvent::What::kLoaded, .loaded = std::unexpected(std::move(runner.error()))},
         role,
         slot.target});
    return;
  }
  slot.runner = std::move(*runner);
  slot.since = now;
  LoadRequest request{.path = tier.model.native(), .threads = tier.threads, .gpu = tier.gpu};
  if (tier.plan.kind != memory::DeviceKind::kCpu) {
    for (std::size_t i = slot.target.chunk; i < policy_.chunks.size(); ++i)
      request.chunks.push_back(policy_.chunks[i]);
    if (request.chunks.back() > kShortRun) request.chunks.push_back(kShortRun);
    if (policy_.SizeOf(slot.target).batched) request.batch = tier.plan.batch;
  }
  Report(TierChange::kLoading, slot.target, {}, fmt::format("loading {}", tier.Title()));
  slot.runner->Load(request);
}

bool WorkerPool::GpuLeft() const {
  const auto on_gpu = [&](const std::optional<Slot>& slot) { return slot && OnGpu(slot->target); };
  return !on_gpu(slots_[0]) && !on_gpu(slots_[1]) &&
         std::ranges::none_of(leaving_, [&](const Leaving& leaving) {
           return !leaving.gone && OnGpu(leaving.slot.target);
         });
}

bool WorkerPool::Empty() const {
  return !slots_[0] && !slots_[1] && std::ranges::all_of(leaving_, &Leaving::gone);
}

std::vector<pid_t> WorkerPool::Pids() const {
  std::vector<pid_t> pids;
  const auto add = [&](const Slot& slot) {
    if (slot.runner && slot.runner->pid() > 0) pids.push_back(slot.runner->pid());
  };
  for (const auto& slot : slots_) {
    if (slot) add(*slot);
  }
  for (const Leaving& leaving : leaving_) {
    if (!leaving.gone) add(leaving.slot);
  }
  return pids;
}

void WorkerPool::Report(TierChange change, memory::Target target, Milliseconds took,
                        std::string text) const {
  if (!report_) return;
  report_({.change = change,
           .tier = target.tier,
           .title = tiers_[target.tier].Title(),
           .chunk = policy_.chunks[target.chunk],
           .took = took,
           .text = std::move(text)});
}

}  // namespace headroom::asr
