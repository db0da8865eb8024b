#include "asr/scheduler/crew.h"

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

Crew::Crew(const std::vector<Tier>& tiers, const memory::Policy& policy, RunnerMaker& maker,
           std::function<void()> wake, const Clock& clock,
           std::function<void(const TierEvent&)> tell)
    : tiers_(tiers),
      policy_(policy),
      maker_(maker),
      wake_(std::move(wake)),
      clock_(clock),
      tell_(std::move(tell)) {}

void Crew::Assign(Post post, memory::Target target) {
  Dismiss(post, {});
  Place(post) = Seat{};
  Place(post)->target = target;
}

void Crew::Dismiss(Post post, const memory::Sample& numbers) {
  std::optional<Seat>& seat = Place(post);
  if (!seat) return;
  if (seat->runner) {
    seat->runner->End();
    Leaving leaving{.seat = std::move(*seat), .held = {}, .used_before = {}, .asked = clock_.Now()};
    if (OnCard(leaving.seat.target) && leaving.seat.ready && numbers.vram_used) {
      const Tier& tier = tiers_[leaving.seat.target.tier];
      leaving.held =
          numbers.vram_ours.value_or(tier.plan.Peak(policy_.SizeOf(leaving.seat.target)).bytes);
      leaving.used_before = *numbers.vram_used;
    }
    leaving_.push_back(std::move(leaving));
  }
  seat.reset();
}

Crew::Seat* Crew::At(Post post) {
  std::optional<Seat>& seat = Place(post);
  return seat ? &*seat : nullptr;
}

Runner* Crew::Ready(Post post) {
  std::optional<Seat>& seat = Place(post);
  return seat && seat->ready ? seat->runner.get() : nullptr;
}

std::vector<CrewEvent> Crew::Turn(const memory::Sample& numbers, MonoTime measured_at) {
  if (taken_ && maker_.Free(tiers_[*taken_])) taken_.reset();
  for (Leaving& leaving : leaving_) {
    while (auto event = leaving.seat.runner->Take()) {
      if (event->what != RunnerEvent::What::kEnded) continue;
      leaving.gone = true;
      leaving.ended = clock_.Now();
      Tell(TierChange::kEnded, leaving.seat.target,
           duration_cast<Milliseconds>(leaving.ended - leaving.asked),
           fmt::format("the worker of {} has ended", tiers_[leaving.seat.target.tier].Title()));
    }
  }
  CheckLeaving(numbers, measured_at);

  std::vector<CrewEvent> events;
  for (const Post post : {Post::kMain, Post::kQuick}) {
    std::optional<Seat>& seat = Place(post);
    if (seat && !seat->runner) Start(post, events);
    while (seat && seat->runner) {
      auto event = seat->runner->Take();
      if (!event) break;
      seat->stats = event->stats;
      if (event->what == RunnerEvent::What::kLoaded && event->loaded) {
        seat->ready = true;
        seat->traits = *event->loaded;
        Tell(TierChange::kReady, seat->target, event->took,
             fmt::format("{} is ready after {}", tiers_[seat->target.tier].Title(),
                         Seconds(event->took)));
      }
      events.push_back({post, seat->target, std::move(*event)});
    }
  }
  return events;
}

void Crew::CheckLeaving(const memory::Sample& numbers, MonoTime measured_at) {
  const MonoTime now = clock_.Now();
  std::erase_if(leaving_, [&](const Leaving& leaving) {
    if (!leaving.gone) return false;
    if (leaving.held.n <= 0) return true;
    const auto since = duration_cast<Milliseconds>(now - leaving.ended);
    const Tier& tier = tiers_[leaving.seat.target.tier];
    if (measured_at >= leaving.ended && numbers.vram_used) {
      const Bytes back = leaving.used_before - *numbers.vram_used;
      if (back.n >= leaving.held.n / 10 * 9) {
        Tell(TierChange::kMemoryBack, leaving.seat.target, since,
             fmt::format("{} MiB of the card came back after {} had ended",
                         memory::Mebibytes(leaving.held), tier.Title()));
        return true;
      }
      if (since >= kBackAtLast) {
        Tell(TierChange::kMemoryKept, leaving.seat.target, since,
             fmt::format("{} held {} MiB of the card; {} after it ended {} MiB have come back: "
                         "the driver kept the rest, or another program took it",
                         tier.Title(), memory::Mebibytes(leaving.held), Seconds(since),
                         memory::Mebibytes(std::max(back, Bytes(0)))));
        return true;
      }
    }
    return since >= kBackAtLast;
  });
}

void Crew::Start(Post post, std::vector<CrewEvent>& events) {
  Seat& seat = *Place(post);
  const Tier& tier = tiers_[seat.target.tier];
  const MonoTime now = clock_.Now();
  for (const Leaving& leaving : leaving_) {
    if (!leaving.gone) return;
    if (tier.on_card() && OnCard(leaving.seat.target) && now - leaving.ended < kBackSoon) return;
  }
  auto runner = maker_.Make(tier, wake_);
  if (!runner) {
    if (runner.error().code == Errc::kBusy) {
      taken_ = seat.target.tier;
      return;
    }
    events.push_back({post,
                      seat.target,
                      {.what = RunnerEvent::What::kLoaded,
                       .loaded = std::unexpected(std::move(runner.error()))}});
    return;
  }
  seat.runner = std::move(*runner);
  seat.since = now;
  LoadRequest request{.path = tier.model.native(), .threads = tier.threads, .card = tier.card};
  if (tier.plan.kind != memory::DeviceKind::kCpu) {
    for (std::size_t i = seat.target.chunk; i < policy_.chunks.size(); ++i)
      request.chunks.push_back(policy_.chunks[i]);
    if (request.chunks.back() > kShortRun) request.chunks.push_back(kShortRun);
    if (policy_.SizeOf(seat.target).batched) request.batch = tier.plan.batch;
  }
  Tell(TierChange::kLoading, seat.target, {}, fmt::format("loading {}", tier.Title()));
  seat.runner->Load(request);
}

bool Crew::CardLeft() const {
  const auto on_card = [&](const std::optional<Seat>& seat) {
    return seat && OnCard(seat->target);
  };
  return !on_card(seats_[0]) && !on_card(seats_[1]) &&
         std::ranges::none_of(leaving_, [&](const Leaving& leaving) {
           return !leaving.gone && OnCard(leaving.seat.target);
         });
}

bool Crew::Empty() const {
  return !seats_[0] && !seats_[1] && std::ranges::all_of(leaving_, &Leaving::gone);
}

std::vector<pid_t> Crew::Pids() const {
  std::vector<pid_t> pids;
  const auto add = [&](const Seat& seat) {
    if (seat.runner && seat.runner->pid() > 0) pids.push_back(seat.runner->pid());
  };
  for (const auto& seat : seats_) {
    if (seat) add(*seat);
  }
  for (const Leaving& leaving : leaving_) {
    if (!leaving.gone) add(leaving.seat);
  }
  return pids;
}

void Crew::Tell(TierChange change, memory::Target target, Milliseconds took,
                std::string text) const {
  if (!tell_) return;
  tell_({.change = change,
         .tier = target.tier,
         .title = tiers_[target.tier].Title(),
         .chunk = policy_.chunks[target.chunk],
         .took = took,
         .text = std::move(text)});
}

}  // namespace headroom::asr
