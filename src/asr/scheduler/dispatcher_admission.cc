// What a Dispatcher may do: the numbers, the governor's step and its actions, and the tiers that
// the utterance in front can still be decoded by.
#include <malloc.h>

#include <algorithm>
#include <bit>

#include "asr/scheduler/dispatcher.h"

namespace headroom::asr {
namespace {

using memory::ActionKind;

constexpr Milliseconds kOldest{1'000};  // numbers that an utterance may be admitted by

double Share(std::optional<Bytes> bytes, Bytes whole) {
  return bytes && whole.n > 0 ? static_cast<double>(bytes->n) / static_cast<double>(whole.n) : 0;
}

double Distance(const memory::Sample& sample, const memory::Thresholds& thresholds) {
  double nearest = 1;
  const auto look = [&](double fill, double warning, double danger, double critical) {
    const std::array levels{warning, danger, critical};
    nearest = std::min(nearest, probe::ThresholdDistance(fill, levels));
  };
  const auto& vram = thresholds.vram;
  if (sample.vram_used && sample.vram_total)
    look(Share(sample.vram_used, *sample.vram_total), vram.warning / 100, vram.danger / 100,
         vram.critical / 100);
  const auto bytes = [&](std::optional<Bytes> used, const memory::ZoneLevels<Bytes>& levels) {
    if (used)
      look(Share(used, levels.critical), Share(levels.warning, levels.critical),
           Share(levels.danger, levels.critical), 1);
  };
  bytes(sample.ram, memory::RamThresholds(thresholds, sample.memory_high, sample.host_total));
  bytes(sample.swap, thresholds.swap);
  const auto& full = thresholds.psi_full;
  if (sample.psi_full)
    look(*sample.psi_full / 100, full.warning / 100, full.danger / 100, full.critical / 100);
  return nearest;
}

}  // namespace

// --- numbers ------------------------------------------------------------------------------------

void Dispatcher::Measure() {
  const MonoTime now = clock_.Now();
  // Until the memory of a worker that has gone is seen to be back, the GPU is looked at.
  const bool idle = !Demand() && workers_.Empty() && !workers_.Unsettled();
  if (now < sample_due_ && (idle || now - measured_at_ <= kOldest)) return;
  numbers_ = readings_.Take(workers_.Pids(), idle, std::min(sample_due_, now));
  measured_at_ = now;
  const bool soon = workers_.Unsettled() || HoldBack();
  sample_due_ = now + (soon ? probe::kFastest
                            : probe::NextInterval(Distance(numbers_, policy_.thresholds), idle));
  if (events_.on_sample) events_.on_sample(numbers_);
}

bool Dispatcher::HoldBack() const {
  return has_gpu_ && !governor_.target && !yielded_ && !numbers_.vram_total &&
         clock_.Now() < hold_until_;
}

bool Dispatcher::Decodes(SlotRole role) const {
  return std::ranges::any_of(
      taken_, [role](const Request* one) { return one->decoding && one->role == role; });
}

std::optional<Milliseconds> Dispatcher::DecodeLeft() const {
  using Seconds = std::chrono::duration<double>;
  if (!Decodes(SlotRole::kPrimary) || !governor_.target) return std::nullopt;
  const Rates& rates = rates_[governor_.target->tier];
  const double later = rates.single.value();
  const double now = running_ && running_->batched() ? rates.batched.value() : later;
  if (now <= 0) return std::nullopt;
  Milliseconds left{};
  for (const Request* const one : taken_) {
    if (one->decoding && one->role == SlotRole::kPrimary) left += one->decoding->left();
  }
  const Milliseconds runs = running_ ? running_->audio : Milliseconds(0);
  const Seconds all =
      Seconds(runs) * now + Seconds(std::max(left - runs, Milliseconds(0))) * std::max(now, later);
  const Seconds done = running_ ? clock_.Now() - running_->began : Seconds(0);
  if (done > all) return std::nullopt;
  return std::chrono::duration_cast<Milliseconds>(all - done);
}

memory::Sample Dispatcher::Seen() {
  memory::Sample sample = numbers_;
  sample.wanted = Demand() && !HoldBack();
  sample.decoding = Decodes(SlotRole::kPrimary);
  sample.decode_left = DecodeLeft();
  sample.yielded = yielded_ || workers_.GpuTaken();
  sample.excluded = Excluded(Head());
  return sample;
}

// --- the governor -------------------------------------------------------------------------------

void Dispatcher::Govern() {
  const MonoTime now = clock_.Now();
  if (finish_by_ && now >= *finish_by_) finish_by_.reset();
  std::optional<memory::Policy> at_once;
  if (std::exchange(unloading_, false) && !Demand()) {
    at_once = policy_;
    at_once->timing.idle = Milliseconds(0);
  }
  if (suspending_ || at_once) {
    CutOff(SlotRole::kFallback);
    workers_.Dismiss(SlotRole::kFallback, numbers_);
  }
  do {
    memory::Sample sample = Seen();
    sample.suspending = std::exchange(suspending_, false);
    sample.resumed = std::exchange(resumed_, false);
    if (!failures_.empty()) {
      sample.failure = failures_.front().failure;
      sample.failed_tier = failures_.front().tier;
      failures_.pop_front();
    }
    const memory::Outcome outcome =
        memory::Step(at_once ? *at_once : policy_, governor_, sample, now);
    governor_ = outcome.state;
    for (const memory::Action& action : outcome.actions) CarryOut(action);
  } while (!failures_.empty());
}

void Dispatcher::CarryOut(const memory::Action& action) {
  reason_ = action.reason;
  switch (action.kind) {
    case ActionKind::kEndWorker:
      CutOff(SlotRole::kPrimary);
      workers_.Dismiss(SlotRole::kPrimary, numbers_);
      finish_by_.reset();
      break;
    case ActionKind::kLoad:
      ++counts_.loads;
      workers_.Assign(SlotRole::kPrimary, action.target);
      break;
    case ActionKind::kStopSpeculation:
      DropSpeculation();
      break;
    case ActionKind::kFinishUtterance:
      DropSpeculation();
      finish_by_ = clock_.Now() + action.within;
      break;
    case ActionKind::kPauseDecoding:
      DropSpeculation();
      CutOff(SlotRole::kFallback);
      workers_.Dismiss(SlotRole::kFallback, numbers_);
      break;
    case ActionKind::kDropCaches:
      done_.reset();
      ::malloc_trim(0);
      break;
    case ActionKind::kSaveAndRestart:
      if (events_.on_restart) events_.on_restart(action.reason);
      break;
    case ActionKind::kZone:
    case ActionKind::kNotify:
    case ActionKind::kAllowSpeculation:
    case ActionKind::kQuarantine:
    case ActionKind::kCorrectPlan:
    case ActionKind::kResumeDecoding:
      break;
  }
  if (events_.on_action) events_.on_action(action);
}

// --- tiers --------------------------------------------------------------------------------------

std::uint32_t Dispatcher::Unable(const RecognitionOptions& options) const {
  std::uint32_t tiers = 0;
  for (std::size_t i = 0; i < options_.tiers.size(); ++i) {
    if (!WhyNot(options_.tiers[i], options).empty()) tiers |= Bit(i);
  }
  return tiers;
}

std::uint32_t Dispatcher::Excluded(const Request* head) const {
  return head ? head->failed_tiers | Unable(head->utterance.options) : 0;
}

std::optional<Error> Dispatcher::Hopeless(const Request& head) const {
  const std::uint32_t excluded = Excluded(&head);
  const std::size_t tiers = options_.tiers.size();
  if (excluded == 0) return std::nullopt;
  if (static_cast<std::size_t>(std::popcount(excluded)) == tiers) {
    if (head.failed_tiers == 0)
      return Error{Errc::kUnsupported, WhyNot(options_.tiers[0], head.utterance.options)};
    return Error{Errc::kWorkerLost, "no tier could decode it: " + head.why};
  }
  for (const SlotRole role : {SlotRole::kPrimary, SlotRole::kFallback}) {
    const WorkerPool::Slot* slot = workers_.At(role);
    if (slot && (excluded & Bit(slot->target.tier)) == 0) return std::nullopt;
  }
  if (clock_.Now() - std::max(head_since_, head.failed_at) < options_.give_up) return std::nullopt;
  return Error{Errc::kWorkerLost,
               fmt::format("no tier could decode it, and no other has been free for {} s: {}",
                           options_.give_up.count() / 1000, head.why)};
}

}  // namespace headroom::asr
