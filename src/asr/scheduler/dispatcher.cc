#include "asr/scheduler/dispatcher.h"

#include <algorithm>
#include <cmath>

#include "asr/client/failure.h"
#include "asr/client/worker.h"
#include "audio/format/format.h"

namespace headroom::asr {
namespace {

using std::chrono::duration_cast;

constexpr Milliseconds kMargin{500};  // less than the longest a model takes at once

}  // namespace

Result<> Validate(const Utterance& utterance) {
  if (!utterance.samples || utterance.samples->empty())
    return Fail(Errc::kInvalid, "an utterance without samples");
  if (utterance.samples->size() > kMaxRunSamples)
    return Fail(Errc::kInvalid, "an utterance of {} s is too long: at most {} s",
                utterance.samples->size() / audio::kSampleRate,
                kMaxRunSamples / audio::kSampleRate);
  if (!std::ranges::all_of(*utterance.samples, [](float s) { return std::isfinite(s); }))
    return Fail(Errc::kInvalid, "an utterance with samples that are no numbers");
  return {};
}

Dispatcher::Dispatcher(SchedulerOptions options, RunnerMaker& maker, Readings& readings,
                       SchedulerEvents events, std::function<void()> wake, const Clock& clock)
    : options_(std::move(options)),
      policy_(PolicyFor(options_.tiers, options_.policy).value()),
      readings_(readings),
      events_(std::move(events)),
      clock_(clock),
      workers_(options_.tiers, policy_, maker, std::move(wake), clock, events_.on_tier),
      has_gpu_(std::ranges::any_of(options_.tiers, &Tier::on_gpu)),
      rates_(options_.tiers.size()),
      one_by_one_until_(options_.tiers.size()) {
  measured_at_ = sample_due_ = next_ = clock_.Now();
}

Dispatcher::~Dispatcher() {
  running_.reset();
  DropSpeculation();
  while (!queue_.empty()) {
    if (queue_.front().done)
      FinishReady();
    else
      Finish(Fail(Errc::kCancelled, "the scheduler has ended; the audio was not decoded"), "");
  }
}

// --- asked -------------------------------------------------------------------------------------

Result<> Dispatcher::Submit(Utterance utterance) {
  if (queue_.size() >= options_.most_waiting) {
    ++counts_.refused;
    return Fail(Errc::kBusy, "{} utterances wait already", queue_.size());
  }
  Job job;
  job.number = ++last_number_;
  job.submitted = job.began = clock_.Now();
  job.source = utterance.samples;
  const Ticket adopt = utterance.adopt;
  if (adopt != 0 && done_ && done_->ticket == adopt) {
    Decoded& decoded = job.done.emplace();
    decoded.result = std::move(done_->result);
    decoded.tier = std::move(done_->tier);
    job.attempts = 1;
    job.adopted = true;
    done_.reset();
  } else if (adopt != 0 && speculation_ && speculation_->ticket == adopt && running_ &&
             running_->speculative && !running_->dropped && queue_.empty()) {
    job.source = speculation_->utterance.samples;
    job.decoding = std::move(speculation_->decoding);
    job.post = running_->post;
    job.began = speculation_->began;
    job.attempts = 1;
    job.adopted = true;
    running_->speculative = false;
    running_->jobs = {job.number};
    Answer(adopt, speculation_->utterance.id, std::nullopt);
    speculation_.reset();
  }
  if (job.adopted) ++counts_.adopted;
  if (!job.done) DropSpeculation();
  job.utterance = std::move(utterance);
  queue_.push_back(std::move(job));
  ++counts_.submitted;
  return {};
}

void Dispatcher::Speculate(Ticket ticket, Utterance utterance) {
  DropSpeculation();
  ++counts_.speculated;
  speculation_ =
      Speculation{.ticket = ticket, .utterance = std::move(utterance), .began = {}, .decoding = {}};
  if (!governor_.speculation || !queue_.empty()) DropSpeculation();
}

void Dispatcher::CancelSpeculation() {
  DropSpeculation();
  done_.reset();
}

bool Dispatcher::Cancel(std::uint64_t id) {
  for (Job& job : queue_) {
    if (job.utterance.id != id || job.done) continue;
    job.decoding.reset();
    job.done.emplace().result = Fail(Errc::kCancelled, "cancelled");
    if (!running_ || running_->speculative || running_->dropped) return true;
    // The others of a batch want their texts.
    if (std::ranges::any_of(running_->jobs, [this](auto n) { return Find(n) != nullptr; }))
      return true;
    if (Runner* runner = workers_.Ready(running_->post)) runner->Cancel();
    running_->dropped = true;
    return true;
  }
  return false;
}

// --- a turn ------------------------------------------------------------------------------------

void Dispatcher::Turn() {
  if (Demand() && !demand_) {
    hold_until_ = clock_.Now() + options_.gpu_patience;
    sample_due_ = clock_.Now();
  }
  demand_ = Demand();
  TakeEvents();
  Measure();
  Govern();
  TakeEvents();  // loads that were decided just now begin
  FinishReady();
  LoadFallback();
  Dispatch();

  next_ = sample_due_;
  if (finish_by_) next_ = std::min(next_, *finish_by_);
  if (!failures_.empty()) next_ = clock_.Now();
}

void Dispatcher::TakeEvents() {
  for (PoolEvent& event : workers_.Turn(numbers_, measured_at_)) {
    if (event.event.what == RunnerEvent::What::kLoaded)
      OnLoaded(event);
    else
      OnRan(event);
  }
}

void Dispatcher::OnLoaded(const PoolEvent& event) {
  allocations_[static_cast<std::size_t>(event.post)] = event.event.stats.device_allocations;
  if (event.event.loaded) {
    sample_due_ = clock_.Now();
    if (options_.tiers[event.target.tier].plan.kind != memory::DeviceKind::kCpu) {
      Milliseconds warmed{};
      for (std::size_t i = event.target.chunk; i < policy_.chunks.size(); ++i)
        warmed += policy_.chunks[i];
      rates_[event.target.tier].at_most =
          static_cast<double>(event.event.took.count()) / static_cast<double>(warmed.count());
    }
    return;
  }
  const Error& error = event.event.loaded.error();
  FailTier(event.target, FailureOf(error, false).value_or(memory::Failure::kCrash), error);
  // One that the worker at the other post has begun goes on there.
  if (!queue_.empty() && !queue_.front().done &&
      !(queue_.front().decoding && queue_.front().post != event.post))
    FailJob(queue_.front(), event.target.tier, error);
  if (event.post == SlotRole::kQuick) workers_.Dismiss(SlotRole::kQuick, numbers_);
}

void Dispatcher::OnRan(PoolEvent& event) {
  if (!running_ || running_->post != event.post) return;
  const Running run = *std::exchange(running_, std::nullopt);
  if (event.event.alive) {
    std::int64_t& seen = allocations_[static_cast<std::size_t>(event.post)];
    counts_.device_allocations += event.event.stats.device_allocations - seen;
    seen = event.event.stats.device_allocations;
  }
  if (event.event.ran) {
    Rates& rates = rates_[event.target.tier];
    Rate& rate = run.batched() ? rates.batched : rates.single;
    rate.audio += std::chrono::duration<double>(run.audio).count();
    rate.run += std::chrono::duration<double>(event.event.took).count();
  } else {
    OnRunFailed(event, run);
  }
  if (run.dropped) return;
  if (run.speculative)
    OnSpeculationRan(event);
  else
    OnJobsRan(event, run);
}

void Dispatcher::OnRunFailed(const PoolEvent& event, const Running& run) {
  const Error& error = event.event.ran.error();
  if (error.code == Errc::kCancelled) {
    if (event.event.alive) return;
    // Cancelling cost the worker: nobody's failure, and nothing has changed but that it is gone.
    workers_.Dismiss(event.post, numbers_);
    if (event.post == SlotRole::kMain) workers_.Assign(event.post, event.target);
    return;
  }
  if (run.batched()) {
    OnBatchFailed(event, run);
    return;
  }
  if (const auto failure = FailureOf(error, event.event.alive))
    FailTier(event.target, *failure, error);
  if (event.post == SlotRole::kQuick && !event.event.alive)
    workers_.Dismiss(SlotRole::kQuick, numbers_);
}

// One clip may have done it to all, or there were too many of them. So nothing is held against
// anybody before each was tried alone, by the same tier; only a lost card is lost at once.
void Dispatcher::OnBatchFailed(const PoolEvent& event, const Running& run) {
  const Error& error = event.event.ran.error();
  const auto failure = FailureOf(error, event.event.alive);
  if (failure) ++counts_.worker_failures;
  one_by_one_until_[event.target.tier] = clock_.Now() + options_.one_by_one;
  TellFailed(event.target, fmt::format("{} at once: {}", run.jobs.size(), error.what));
  if (failure == memory::Failure::kLost) {
    failures_.push_back({*failure, event.target.tier});
  } else if (!event.event.alive) {
    workers_.Dismiss(event.post, numbers_);
    workers_.Assign(event.post, event.target);
  }
}

void Dispatcher::OnJobsRan(PoolEvent& event, const Running& run) {
  for (std::size_t i = 0; i < run.jobs.size(); ++i) {
    Job* const job = Find(run.jobs[i]);
    if (job == nullptr) continue;
    if (!event.event.ran) {
      if (run.batched())
        SetAlone(*job);
      else
        FailJob(*job, event.target.tier, event.event.ran.error());
      continue;
    }
    Result<RunResult>& ran = (*event.event.ran)[i];
    if (!ran) {
      SetAlone(*job);
      continue;
    }
    job->decoding->Add(std::move(*ran));
    if (job->decoding->Next()) continue;
    Decoded& done = job->done.emplace();
    done.result = job->decoding->Finish();
    done.tier = options_.tiers[event.target.tier].Title();
    job->decoding.reset();
  }
  FinishReady();
}

Dispatcher::Job* Dispatcher::Find(std::uint64_t number) {
  const auto found = std::ranges::find(queue_, number, &Job::number);
  return found == queue_.end() || found->done ? nullptr : &*found;
}

void Dispatcher::SetAlone(Job& job) {
  job.alone = true;
  job.decoding.reset();
}

void Dispatcher::OnSpeculationRan(PoolEvent& event) {
  if (!event.event.ran) {
    DropSpeculation();
    return;
  }
  speculation_->decoding->Add(std::move(*event.event.ran->front()));
  if (speculation_->decoding->Next()) return;
  const Speculation over = *std::exchange(speculation_, std::nullopt);
  Decoding decoding = *over.decoding;
  done_ = Done{.ticket = over.ticket,
               .result = decoding.Finish(),
               .tier = options_.tiers[event.target.tier].Title(),
               .began = over.began};
  Answer(over.ticket, over.utterance.id, done_->result);
}

void Dispatcher::FailJob(Job& job, std::size_t tier, const Error& error) {
  job.decoding.reset();
  job.source = job.utterance.samples;
  job.adopted = false;
  job.failed |= Bit(tier);
  job.failed_at = clock_.Now();
  ++job.failures;
  job.why += fmt::format("{}{}: {}", job.why.empty() ? "" : "; ", options_.tiers[tier].Title(),
                         error.what);
}

void Dispatcher::FailTier(memory::Target target, memory::Failure failure, const Error& error) {
  ++counts_.worker_failures;
  failures_.push_back({failure, target.tier});
  TellFailed(target, error.what);
}

void Dispatcher::TellFailed(memory::Target target, const std::string& what) {
  if (!events_.on_tier) return;
  const std::string title = options_.tiers[target.tier].Title();
  events_.on_tier({.change = TierChange::kFailed,
                   .tier = target.tier,
                   .title = title,
                   .chunk = policy_.chunks[target.chunk],
                   .took = {},
                   .text = fmt::format("{}: {}", title, what)});
}

// --- utterances --------------------------------------------------------------------------------

void Dispatcher::FinishReady() {
  while (!queue_.empty()) {
    Job& job = queue_.front();
    if (job.done) {
      Finish(std::move(job.done->result), std::move(job.done->tier));
    } else if (auto error = Hopeless(job); error && !running_) {
      Finish(std::unexpected(std::move(*error)), "");
    } else {
      return;
    }
  }
}

void Dispatcher::Finish(Result<RunResult> result, std::string tier) {
  const Job job = std::move(queue_.front());
  queue_.pop_front();
  const MonoTime now = clock_.Now();
  Decoded decoded;
  decoded.id = job.utterance.id;
  decoded.tier = std::move(tier);
  decoded.attempts = job.attempts;
  decoded.failures = job.failures;
  decoded.adopted = job.adopted;
  decoded.waited =
      std::max(Milliseconds(0), duration_cast<Milliseconds>(job.began - job.submitted));
  decoded.took = duration_cast<Milliseconds>(now - job.submitted);
  decoded.result = std::move(result);
  if (decoded.result)
    ++counts_.decoded;
  else
    ++(decoded.result.error().code == Errc::kCancelled ? counts_.cancelled : counts_.failed);
  if (events_.on_decoded) events_.on_decoded(std::move(decoded));
}

void Dispatcher::Answer(Ticket ticket, std::uint64_t id, std::optional<RunResult> result) {
  if (events_.on_speculated) events_.on_speculated({ticket, id, std::move(result)});
}

// --- work --------------------------------------------------------------------------------------

// While the first worker is being loaded the last tier, which is small, may be there already.
void Dispatcher::LoadFallback() {
  const WorkerPool::Slot* main = workers_.At(SlotRole::kMain);
  const std::size_t last = options_.tiers.size() - 1;
  const bool cold = main && !main->ready && main->target.tier != last && Demand();
  if (workers_.At(SlotRole::kQuick)) {
    if (!cold && !Decodes(SlotRole::kQuick)) {
      CutOff(SlotRole::kQuick);
      workers_.Dismiss(SlotRole::kQuick, numbers_);
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
  workers_.Assign(SlotRole::kQuick, target);
  TakeEvents();
}

void Dispatcher::Dispatch() {
  if (running_) return;
  if (!queue_.empty()) {
    if (queue_.front().done) return;
    const std::uint32_t excluded = Excluded();
    for (const SlotRole post : {SlotRole::kMain, SlotRole::kQuick}) {
      if (!workers_.Ready(post) || (excluded & Bit(workers_.At(post)->target.tier)) != 0) continue;
      Begin(post, Together(post));
      return;
    }
    return;
  }
  if (speculation_ && governor_.speculation && workers_.Ready(SlotRole::kMain)) BeginSpeculation();
}

std::size_t Dispatcher::AtOnce(SlotRole post) const {
  const WorkerPool::Slot* slot = workers_.At(post);
  if (slot == nullptr || !slot->ready || !policy_.SizeOf(slot->target).batched ||
      clock_.Now() < one_by_one_until_[slot->target.tier])
    return 1;
  const auto most = static_cast<std::size_t>(policy_.tiers[slot->target.tier].batch);
  const auto samples = static_cast<std::size_t>(audio::SamplesIn(LongestPiece(post)));
  return std::clamp<std::size_t>(kMaxRunSamples / samples, 1, most);
}

// The front, and those behind it that wait anyway and ask for the same; nobody is overtaken.
std::vector<Dispatcher::Job*> Dispatcher::Together(SlotRole post) {
  Job& front = queue_.front();
  std::vector<Job*> jobs{&front};
  const std::size_t most = front.alone ? 1 : AtOnce(post);
  const std::uint32_t here = Bit(workers_.At(post)->target.tier);
  for (std::size_t i = 1; i < queue_.size() && jobs.size() < most; ++i) {
    Job& job = queue_[i];
    if (job.done) continue;
    if (job.alone || (job.failed & here) != 0 || job.utterance.request != front.utterance.request)
      break;
    jobs.push_back(&job);
  }
  return jobs;
}

Milliseconds Dispatcher::LongestPiece(SlotRole post) const {
  const WorkerPool::Slot& slot = *workers_.At(post);
  const Milliseconds longest = policy_.chunks[slot.target.chunk];
  return slot.traits.max_audio > kMargin ? std::min(longest, slot.traits.max_audio - kMargin)
                                         : longest;
}

void Dispatcher::Begin(SlotRole post, const std::vector<Job*>& jobs) {
  const Milliseconds longest = LongestPiece(post);
  Running run{.post = post, .began = clock_.Now()};
  std::vector<Clip> clips;
  for (Job* const job : jobs) {
    if (job->post != post) job->decoding.reset();
    if (!job->decoding) {
      job->decoding.emplace(*job->source, longest);
      job->began = run.began;
      job->post = post;
      ++job->attempts;
    }
    const Piece piece = *job->decoding->Next();
    clips.push_back({job->source, piece.begin, piece.end - piece.begin});
    run.jobs.push_back(job->number);
  }
  Start(std::move(run), jobs.front()->utterance.request, std::move(clips));
}

void Dispatcher::BeginSpeculation() {
  Speculation& one = *speculation_;
  Running run{.post = SlotRole::kMain, .speculative = true, .began = clock_.Now()};
  if (!one.decoding) {
    one.decoding.emplace(*one.utterance.samples, LongestPiece(run.post));
    one.began = run.began;
  }
  const Piece piece = *one.decoding->Next();
  std::vector<Clip> clips{{one.utterance.samples, piece.begin, piece.end - piece.begin}};
  Start(std::move(run), one.utterance.request, std::move(clips));
}

void Dispatcher::Start(Running run, const RunRequest& request, std::vector<Clip> clips) {
  const WorkerPool::Slot& slot = *workers_.At(run.post);
  std::size_t longest = 0;
  for (const Clip& clip : clips) longest = std::max(longest, clip.count);
  run.audio = audio::DurationOf(static_cast<std::int64_t>(longest * clips.size()));
  const Milliseconds within = PatienceWith(slot.target.tier, run);
  ++counts_.runs;
  const SlotRole post = run.post;
  running_ = std::move(run);
  workers_.Ready(post)->Run(Fitted(request, slot.traits), std::move(clips), within);
}

RunRequest Dispatcher::Fitted(RunRequest request, const ModelTraits& traits) const {
  request.segment_times = request.segment_times && traits.segment_times;
  request.word_times = request.word_times && traits.word_times;
  if (!traits.vocabulary) request.vocabulary.clear();
  if (!traits.prompt) request.prompt.clear();
  const auto& known = traits.languages;
  if (request.language.empty() && !traits.detects_language && known.size() > 1) {
    const auto knows = [&](const std::string& code) {
      return std::ranges::find(known, code) != known.end();
    };
    request.language = knows(options_.language) ? options_.language
                       : knows("en")            ? "en"
                                                : known.front();
  }
  return request;
}

// Whoever is at that post is about to be ended: what it was doing begins anew elsewhere.
void Dispatcher::CutOff(SlotRole post) {
  for (Job& job : queue_) {
    if (job.post == post) job.decoding.reset();
  }
  if (!running_ || running_->post != post) return;
  const bool speculative = running_->speculative && !running_->dropped;
  running_.reset();
  if (speculative) DropSpeculation();
}

void Dispatcher::DropSpeculation() {
  if (!speculation_) return;
  if (running_ && running_->speculative && !running_->dropped) {
    if (Runner* runner = workers_.Ready(running_->post)) runner->Cancel();
    running_->dropped = true;
  }
  const Speculation over = *std::exchange(speculation_, std::nullopt);
  ++counts_.dropped;
  Answer(over.ticket, over.utterance.id, std::nullopt);
}

// Before the first run: what loading, in which such lengths were run, gives as a bound. Loading ran
// whole batches of the longest chunk too, and whatever is in a batch may be computed as long.
Milliseconds Dispatcher::PatienceWith(std::size_t tier, const Running& run) const {
  const Rates& rates = rates_[tier];
  const double known = (run.batched() ? rates.batched : rates.single).value();
  const Milliseconds within = RunDeadline(run.audio, known > 0 ? known : rates.at_most);
  return run.batched() ? std::max(within, RunDeadline(LongestPiece(run.post), rates.at_most))
                       : within;
}

SchedulerStatus Dispatcher::status() const {
  SchedulerStatus status;
  const MonoTime now = clock_.Now();
  const WorkerPool::Slot* main = workers_.At(SlotRole::kMain);
  for (std::size_t i = 0; i < options_.tiers.size(); ++i) {
    const memory::TierState& known = governor_.tiers[i];
    TierStatus tier{.title = options_.tiers[i].Title(),
                    .on_gpu = options_.tiers[i].on_gpu(),
                    .state = "resting",
                    .quarantined = {},
                    .failures = known.failures};
    if (main && main->target.tier == i) tier.state = main->ready ? "ready" : "loading";
    if (now < known.quarantined_until) {
      tier.state = "quarantined";
      tier.quarantined = duration_cast<Milliseconds>(known.quarantined_until - now);
    }
    status.tiers.push_back(std::move(tier));
  }
  if (main && main->ready) {
    status.tier = main->target.tier;
    status.chunk = policy_.chunks[main->target.chunk];
    status.at_once = AtOnce(SlotRole::kMain);
    status.tier_title = options_.tiers[main->target.tier].Title();
    status.worker = main->stats;
  }
  status.wanted = wanted_;
  status.loading = main && !main->ready;
  status.decoding = running_ && !running_->speculative && !running_->dropped;
  status.speculation = governor_.speculation;
  status.paused = governor_.paused || governor_.nothing_fits;
  status.yielded = yielded_;
  status.suspended = governor_.suspended_at.has_value();
  status.waiting = queue_.size();
  status.reason = reason_;
  status.zones = governor_.zones;
  status.sample = numbers_;
  status.counts = counts_;
  return status;
}

}  // namespace headroom::asr
