// What a Dispatcher has its workers do: which worker, which utterances together, for how long.
#include <algorithm>

#include "asr/client/worker.h"
#include "asr/scheduler/dispatcher.h"
#include "audio/format/format.h"

namespace headroom::asr {
namespace {

constexpr Milliseconds kMargin{500};  // less than the longest that a model takes in one run

}  // namespace

// --- work --------------------------------------------------------------------------------------

// While the first worker is being loaded the last tier, which is small, may be there already.
void Dispatcher::LoadFallback() {
  const WorkerPool::Slot* main = workers_.At(SlotRole::kPrimary);
  const std::size_t last = options_.tiers.size() - 1;
  const bool cold = main && !main->ready && main->target.tier != last && Demand();
  if (workers_.At(SlotRole::kFallback)) {
    if (!cold && !Decodes(SlotRole::kFallback)) {
      CutOff(SlotRole::kFallback);
      workers_.Dismiss(SlotRole::kFallback, numbers_);
    }
    return;
  }
  if (!cold || options_.when_cold != WhenCold::kFast || options_.tiers[last].on_gpu()) return;
  if (clock_.Now() < governor_.tiers[last].quarantined_until) return;
  const memory::Target target{last, policy_.chunks.size() - 1};
  if (numbers_.ram_available) {
    const Bytes held = policy_.tiers[main->target.tier].HostPeak(policy_.SizeOf(main->target));
    const memory::Room room{
        .total = std::max(Bytes(0), *numbers_.ram_available - held), .others = {}, .host = {}};
    if (memory::Measure(policy_.tiers[last], policy_.chunks[target.chunk], room, policy_.rules)
            .fit == memory::Fit::kUnsafe)
      return;
  }
  workers_.Assign(SlotRole::kFallback, target);
  TakeEvents();
}

void Dispatcher::Dispatch() {
  if (running_) return;
  if (Request* const head = Head()) {
    const std::uint32_t excluded = Excluded(head);
    for (const SlotRole role : {SlotRole::kPrimary, SlotRole::kFallback}) {
      if (!workers_.Ready(role) || (excluded & Bit(workers_.At(role)->target.tier)) != 0) continue;
      if (taken_.empty()) TakeBatch(role, *head);
      Begin(role, Together(role));
      return;
    }
    return;
  }
  if (speculation_ && governor_.speculation && workers_.Ready(SlotRole::kPrimary))
    BeginSpeculation();
}

std::size_t Dispatcher::AtOnce(SlotRole role) const {
  const WorkerPool::Slot* slot = workers_.At(role);
  if (slot == nullptr || !slot->ready || !policy_.SizeOf(slot->target).batched ||
      clock_.Now() < one_by_one_until_[slot->target.tier])
    return 1;
  const auto most = static_cast<std::size_t>(policy_.tiers[slot->target.tier].batch);
  const auto samples = static_cast<std::size_t>(audio::SamplesIn(LongestPiece(role)));
  return std::clamp<std::size_t>(kMaxRunSamples / samples, 1, most);
}

// The head, and those due next that can go with it.
void Dispatcher::TakeBatch(SlotRole role, Request& head) {
  Take(head);
  const std::size_t most = head.alone ? 1 : AtOnce(role);
  while (taken_.size() < most) {
    Request* const next = queue_.Next(clock_.Now());
    if (next == nullptr || next->alone || next->utterance.options != head.utterance.options) return;
    Take(*next);
  }
}

// Of what is taken, in order: as many as fit in one run.
std::vector<Request*> Dispatcher::Together(SlotRole role) {
  Request& head = *taken_.front();
  std::vector<Request*> requests{&head};
  const std::size_t most = head.alone ? 1 : AtOnce(role);
  const std::uint32_t here = Bit(workers_.At(role)->target.tier);
  for (std::size_t i = 1; i < taken_.size() && requests.size() < most; ++i) {
    Request& request = *taken_[i];
    if (request.alone || (request.failed_tiers & here) != 0) break;
    requests.push_back(&request);
  }
  return requests;
}

Milliseconds Dispatcher::LongestPiece(SlotRole role) const {
  const WorkerPool::Slot& slot = *workers_.At(role);
  const Milliseconds longest = policy_.chunks[slot.target.chunk];
  return slot.traits.max_audio > kMargin ? std::min(longest, slot.traits.max_audio - kMargin)
                                         : longest;
}

void Dispatcher::Begin(SlotRole role, const std::vector<Request*>& requests) {
  const Milliseconds longest = LongestPiece(role);
  Running run{.role = role, .began = clock_.Now()};
  std::vector<Clip> clips;
  for (Request* const request : requests) {
    if (request->role != role) request->decoding.reset();
    if (!request->decoding) {
      request->decoding.emplace(request->source, longest);
      request->began = run.began;
      request->role = role;
      ++request->attempts;
    }
    clips.push_back(*request->decoding->Next());
    run.requests.push_back(request->seq);
  }
  Start(std::move(run), requests.front()->utterance.options, std::move(clips));
}

void Dispatcher::BeginSpeculation() {
  Speculation& one = *speculation_;
  Running run{.role = SlotRole::kPrimary, .speculative = true, .began = clock_.Now()};
  if (!one.decoding) {
    one.decoding.emplace(one.utterance.audio, LongestPiece(run.role));
    one.began = run.began;
  }
  Start(std::move(run), one.utterance.options, {*one.decoding->Next()});
}

void Dispatcher::Start(Running run, const RecognitionOptions& options, std::vector<Clip> clips) {
  const WorkerPool::Slot& slot = *workers_.At(run.role);
  std::size_t longest = 0;
  for (const Clip& clip : clips) longest = std::max(longest, clip.count);
  run.audio = audio::DurationOf(static_cast<std::int64_t>(longest * clips.size()));
  const Milliseconds within = PatienceWith(slot.target.tier, run);
  ++counts_.runs;
  const SlotRole role = run.role;
  running_ = std::move(run);
  workers_.Ready(role)->Run(Fitted(options, slot.traits), std::move(clips), within);
}

RecognitionOptions Dispatcher::Fitted(RecognitionOptions options, const ModelTraits& traits) const {
  options.segment_times = (options.segment_times || options.word_times) && traits.segment_times;
  options.word_times = options.word_times && traits.word_times;
  if (!traits.vocabulary) options.vocabulary.clear();
  if (!traits.prompt) options.prompt.clear();
  const auto& known = traits.languages;
  if (options.language.empty() && !traits.detects_language && known.size() > 1) {
    const auto knows = [&](const std::string& code) {
      return std::ranges::find(known, code) != known.end();
    };
    options.language = knows(options_.language) ? options_.language
                       : knows("en")            ? "en"
                                                : known.front();
  }
  return options;
}

// That worker is about to be ended: what it was doing starts over elsewhere.
void Dispatcher::CutOff(SlotRole role) {
  for (Request* const request : taken_) {
    if (request->role == role) request->decoding.reset();
  }
  if (!running_ || running_->role != role) return;
  const bool speculative = running_->speculative && !running_->dropped;
  running_.reset();
  if (speculative) DropSpeculation();
}

// Before the first run: what loading, in which such lengths were run, gives as a bound. Loading ran
// whole batches of the longest chunk too, and whatever is in a batch may be computed as long.
Milliseconds Dispatcher::PatienceWith(std::size_t tier, const Running& run) const {
  const Rates& rates = rates_[tier];
  const double known = (run.batched() ? rates.batched : rates.single).value();
  const Milliseconds within = RunDeadline(run.audio, known > 0 ? known : rates.at_most);
  return run.batched() ? std::max(within, RunDeadline(LongestPiece(run.role), rates.at_most))
                       : within;
}

}  // namespace headroom::asr
