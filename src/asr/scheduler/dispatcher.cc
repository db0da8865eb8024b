#include "asr/scheduler/dispatcher.h"

#include <algorithm>

#include "asr/client/failure.h"
#include "asr/client/worker.h"
#include "audio/format/format.h"

namespace headroom::asr {
namespace {

using std::chrono::duration_cast;

}  // namespace

Result<> Validate(const Utterance& utterance) {
  const std::size_t size = utterance.audio.size();
  if (size == 0) return Fail(Errc::kInvalid, "an utterance without samples");
  if (size > kMaxRunSamples)
    return Fail(Errc::kInvalid, "an utterance of {} s is too long: at most {} s",
                size / audio::kSampleRate, kMaxRunSamples / audio::kSampleRate);
  return {};
}

Dispatcher::Dispatcher(SchedulerOptions options, RunnerMaker& maker, Readings& readings,
                       DispatcherEvents events, std::function<void()> wake, const Clock& clock)
    : options_(std::move(options)),
      policy_(PolicyFor(options_.tiers, options_.policy).value()),
      readings_(readings),
      events_(std::move(events)),
      clock_(clock),
      workers_(options_.tiers, policy_, maker, std::move(wake), clock, events_.on_tier),
      has_gpu_(std::ranges::any_of(options_.tiers, &Tier::on_gpu)),
      queue_(options_.most_waiting),
      rates_(options_.tiers.size()),
      one_by_one_until_(options_.tiers.size()) {
  measured_at_ = sample_due_ = next_ = clock_.Now();
}

Dispatcher::~Dispatcher() {
  running_.reset();
  DropSpeculation();
  while (auto request = queue_.Pop()) {
    if (!request->answer)
      request->answer =
          Fail(Errc::kCancelled, "the scheduler has ended; the audio was not decoded");
    Send(std::move(*request));
  }
}

// --- requests to it ----------------------------------------------------------------------------

void Dispatcher::Connect(ClientId client, Urgency urgency, RetryPolicy retry) {
  queue_.Connect(client, urgency, retry);
}

void Dispatcher::Disconnect(ClientId client) {
  CancelSpeculation(client);
  std::erase_if(taken_, [client](const Request* one) { return one->utterance.client == client; });
  counts_.cancelled += static_cast<std::int64_t>(queue_.Disconnect(client));
  StopUnwantedRun();
}

Result<> Dispatcher::Submit(Utterance utterance) {
  const Ticket adopt = utterance.adopt;
  const bool first = !queue_.Busy(clock_.Now());
  auto pushed = queue_.Push(std::move(utterance), clock_.Now());
  if (!pushed) {
    ++counts_.refused;
    return Fail(std::move(pushed.error()));
  }
  Request& request = **pushed;
  ++counts_.submitted;
  if (adopt != 0 && done_ && done_->ticket == adopt) {
    request.attempts = 1;
    request.adopted = true;
    Settle(request, std::move(done_->result), std::move(done_->tier));
    done_.reset();
  } else if (adopt != 0 && speculation_ && speculation_->ticket == adopt && running_ &&
             running_->speculative && !running_->dropped && first) {
    Take(request);
    request.source = speculation_->utterance.audio;
    request.decoding = std::move(speculation_->decoding);
    request.role = running_->role;
    request.began = speculation_->began;
    request.attempts = 1;
    request.adopted = true;
    running_->speculative = false;
    running_->requests = {request.seq};
    AnswerSpeculation(adopt, speculation_->utterance, std::nullopt);
    speculation_.reset();
  }
  if (request.adopted) ++counts_.adopted;
  if (!request.answer) DropSpeculation();
  return {};
}

void Dispatcher::Speculate(Ticket ticket, Utterance utterance) {
  DropSpeculation();
  ++counts_.speculated;
  speculation_ =
      Speculation{.ticket = ticket, .utterance = std::move(utterance), .began = {}, .decoding = {}};
  if (!governor_.speculation || queue_.Busy(clock_.Now())) DropSpeculation();
}

void Dispatcher::CancelSpeculation(ClientId client) {
  if (speculation_ && speculation_->utterance.client == client) DropSpeculation();
  if (done_ && done_->client == client) done_.reset();
}

bool Dispatcher::Cancel(UtteranceKey key) {
  Request* const request = queue_.Find(key);
  if (request == nullptr) return false;
  Settle(*request, Fail(Errc::kCancelled, "cancelled"));
  StopUnwantedRun();
  return true;
}

// The clips of a batch end together: only a run that has become useless is cut short.
void Dispatcher::StopUnwantedRun() {
  if (!running_ || running_->speculative || running_->dropped) return;
  if (std::ranges::any_of(running_->requests,
                          [this](std::uint64_t seq) { return FindTaken(seq) != nullptr; }))
    return;
  if (Runner* runner = workers_.Ready(running_->role)) runner->Cancel();
  running_->dropped = true;
}

void Dispatcher::DropSpeculation() {
  if (!speculation_) return;
  if (running_ && running_->speculative && !running_->dropped) {
    if (Runner* runner = workers_.Ready(running_->role)) runner->Cancel();
    running_->dropped = true;
  }
  const Speculation over = *std::exchange(speculation_, std::nullopt);
  ++counts_.dropped;
  AnswerSpeculation(over.ticket, over.utterance, std::nullopt);
}

// --- a tick ------------------------------------------------------------------------------------

void Dispatcher::Tick() {
  if (Demand() && !demand_) {
    hold_until_ = clock_.Now() + options_.gpu_patience;
    sample_due_ = clock_.Now();
  }
  demand_ = Demand();
  TakeEvents();
  Measure();
  Govern();
  TakeEvents();  // loads that were decided just now begin
  SendAnswers();
  LoadFallback();
  Dispatch();

  next_ = sample_due_;
  if (finish_by_) next_ = std::min(next_, *finish_by_);
  if (const auto retry = queue_.NextTry(clock_.Now())) next_ = std::min(next_, *retry);
  if (!failures_.empty()) next_ = clock_.Now();
}

void Dispatcher::TakeEvents() {
  for (WorkerPool::Event& event : workers_.Tick(numbers_, measured_at_)) {
    if (event.what == RunnerEvent::What::kLoaded)
      OnLoaded(event);
    else
      OnRan(event);
  }
}

void Dispatcher::OnLoaded(const WorkerPool::Event& event) {
  allocations_[static_cast<std::size_t>(event.role)] = event.stats.device_allocations;
  if (event.loaded) {
    sample_due_ = clock_.Now();
    if (options_.tiers[event.target.tier].plan.kind != memory::DeviceKind::kCpu) {
      Milliseconds warmed{};
      for (std::size_t i = event.target.chunk; i < policy_.chunks.size(); ++i)
        warmed += policy_.chunks[i];
      rates_[event.target.tier].at_most =
          static_cast<double>(event.took.count()) / static_cast<double>(warmed.count());
    }
    return;
  }
  const Error& error = event.loaded.error();
  FailTier(event.target, FailureOf(error, false).value_or(memory::Failure::kCrash), error);
  // One that the other worker has begun goes on there.
  if (Request* const head = Head(); head && !(head->decoding && head->role != event.role)) {
    if (!head->taken) Take(*head);
    FailRequest(*head, event.target.tier, error);
  }
  if (event.role == SlotRole::kFallback) workers_.Dismiss(SlotRole::kFallback, numbers_);
}

void Dispatcher::OnRan(WorkerPool::Event& event) {
  if (!running_ || running_->role != event.role) return;
  const Running run = *std::exchange(running_, std::nullopt);
  if (event.alive) {
    std::int64_t& seen = allocations_[static_cast<std::size_t>(event.role)];
    counts_.device_allocations += event.stats.device_allocations - seen;
    seen = event.stats.device_allocations;
  }
  if (event.ran) {
    Rates& rates = rates_[event.target.tier];
    Rate& rate = run.batched() ? rates.batched : rates.single;
    rate.audio += std::chrono::duration<double>(run.audio).count();
    rate.run += std::chrono::duration<double>(event.took).count();
  } else {
    OnRunFailed(event, run);
  }
  if (run.dropped) return;
  if (run.speculative)
    OnSpeculationRan(event);
  else
    OnRequestsRan(event, run);
}

void Dispatcher::OnRunFailed(const WorkerPool::Event& event, const Running& run) {
  const Error& error = event.ran.error();
  if (error.code == Errc::kCancelled) {
    if (event.alive) return;
    // Cancelling cost the worker: no failure, and all that has changed is that it is gone.
    workers_.Dismiss(event.role, numbers_);
    if (event.role == SlotRole::kPrimary) workers_.Assign(event.role, event.target);
    return;
  }
  if (run.batched()) {
    OnBatchFailed(event, run);
    return;
  }
  if (const auto failure = FailureOf(error, event.alive)) FailTier(event.target, *failure, error);
  if (event.role == SlotRole::kFallback && !event.alive)
    workers_.Dismiss(SlotRole::kFallback, numbers_);
}

// One clip may have done it to all, or there were too many of them. So it counts against none
// before each was tried alone, by the same tier; only a lost GPU is lost immediately.
void Dispatcher::OnBatchFailed(const WorkerPool::Event& event, const Running& run) {
  const Error& error = event.ran.error();
  const auto failure = FailureOf(error, event.alive);
  if (failure) ++counts_.worker_failures;
  one_by_one_until_[event.target.tier] = clock_.Now() + options_.one_by_one;
  ReportFailure(event.target, fmt::format("{} in one run: {}", run.requests.size(), error.what));
  if (failure == memory::Failure::kLost) {
    failures_.push_back({*failure, event.target.tier});
  } else if (!event.alive) {
    workers_.Dismiss(event.role, numbers_);
    workers_.Assign(event.role, event.target);
  }
}

void Dispatcher::OnRequestsRan(WorkerPool::Event& event, const Running& run) {
  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    Request* const request = FindTaken(run.requests[i]);
    if (request == nullptr) continue;
    if (!event.ran) {
      if (run.batched())
        SetAlone(*request);
      else
        FailRequest(*request, event.target.tier, event.ran.error());
      continue;
    }
    Result<RunResult>& ran = (*event.ran)[i];
    if (!ran) {
      SetAlone(*request);
      continue;
    }
    request->decoding->Add(std::move(*ran));
    if (request->decoding->Next()) continue;
    Settle(*request, request->decoding->Finish(), options_.tiers[event.target.tier].Title());
  }
  SendAnswers();
}

void Dispatcher::SetAlone(Request& request) {
  request.alone = true;
  request.decoding.reset();
}

void Dispatcher::OnSpeculationRan(WorkerPool::Event& event) {
  if (!event.ran) {
    DropSpeculation();
    return;
  }
  speculation_->decoding->Add(std::move(*event.ran->front()));
  if (speculation_->decoding->Next()) return;
  const Speculation over = *std::exchange(speculation_, std::nullopt);
  Decoding decoding = *over.decoding;
  done_ = Done{.ticket = over.ticket,
               .client = over.utterance.client,
               .result = decoding.Finish(),
               .tier = options_.tiers[event.target.tier].Title(),
               .began = over.began};
  AnswerSpeculation(over.ticket, over.utterance, done_->result);
}

void Dispatcher::FailRequest(Request& request, std::size_t tier, const Error& error) {
  request.decoding.reset();
  request.source = request.utterance.audio;
  request.adopted = false;
  request.failed_tiers |= Bit(tier);
  request.failed_at = clock_.Now();
  ++request.failures;
  request.why += fmt::format("{}{}: {}", request.why.empty() ? "" : "; ",
                             options_.tiers[tier].Title(), error.what);
}

void Dispatcher::FailTier(memory::Target target, memory::Failure failure, const Error& error) {
  ++counts_.worker_failures;
  failures_.push_back({failure, target.tier});
  ReportFailure(target, error.what);
}

void Dispatcher::ReportFailure(memory::Target target, const std::string& what) {
  if (!events_.on_tier) return;
  const std::string title = options_.tiers[target.tier].Title();
  events_.on_tier({.change = TierChange::kFailed,
                   .tier = target.tier,
                   .title = title,
                   .chunk = policy_.chunks[target.chunk],
                   .took = {},
                   .text = fmt::format("{}: {}", title, what)});
}

// --- requests -----------------------------------------------------------------------------------

Request* Dispatcher::Head() {
  return taken_.empty() ? queue_.Next(clock_.Now()) : taken_.front();
}

Request* Dispatcher::FindTaken(std::uint64_t seq) {
  const auto found = std::ranges::find(taken_, seq, &Request::seq);
  return found == taken_.end() ? nullptr : *found;
}

void Dispatcher::Take(Request& request) {
  queue_.Take(request);
  taken_.push_back(&request);
}

// It is over; the answer leaves when those before it have left.
void Dispatcher::Settle(Request& request, Result<RunResult> answer, std::string tier) {
  std::erase(taken_, &request);
  request.decoding.reset();
  request.answer = std::move(answer);
  request.tier = std::move(tier);
}

// No tier can decode it at present.
void Dispatcher::EndTry(Request& request, Error error) {
  const MonoTime now = clock_.Now();
  if (error.code != Errc::kWorkerLost || !queue_.Retry(request, now)) {
    Settle(request, std::unexpected(std::move(error)));
    return;
  }
  std::erase(taken_, &request);
  head_seq_ = 0;  // its time at the head starts over, too
  if (events_.on_retried)
    events_.on_retried({.id = request.utterance.id,
                        .client = request.utterance.client,
                        .error = std::move(error),
                        .after = duration_cast<Milliseconds>(request.not_before - now)});
}

void Dispatcher::SendAnswers() {
  while (true) {
    while (auto request = queue_.PopAnswered()) Send(std::move(*request));
    if (running_) return;
    Request* const head = Head();
    if (head == nullptr) return;
    if (std::exchange(head_seq_, head->seq) != head->seq) head_since_ = clock_.Now();
    auto error = Hopeless(*head);
    if (!error) return;
    EndTry(*head, std::move(*error));
  }
}

void Dispatcher::Send(Request request) {
  const MonoTime now = clock_.Now();
  Decoded decoded;
  decoded.id = request.utterance.id;
  decoded.client = request.utterance.client;
  decoded.result = std::move(*request.answer);
  decoded.tier = std::move(request.tier);
  decoded.attempts = request.attempts;
  decoded.failures = request.failures;
  decoded.adopted = request.adopted;
  decoded.waited =
      std::max(Milliseconds(0), duration_cast<Milliseconds>(request.began - request.submitted));
  decoded.took = duration_cast<Milliseconds>(now - request.submitted);
  decoded.audio = request.utterance.audio.duration();
  if (decoded.result)
    ++counts_.decoded;
  else
    ++(decoded.result.error().code == Errc::kCancelled ? counts_.cancelled : counts_.failed);
  if (events_.on_decoded) events_.on_decoded(std::move(decoded));
}

void Dispatcher::AnswerSpeculation(Ticket ticket, const Utterance& utterance,
                                   std::optional<RunResult> result) {
  if (events_.on_speculated)
    events_.on_speculated({.ticket = ticket,
                           .id = utterance.id,
                           .client = utterance.client,
                           .result = std::move(result)});
}

SchedulerStatus Dispatcher::status() const {
  SchedulerStatus status;
  const MonoTime now = clock_.Now();
  const WorkerPool::Slot* main = workers_.At(SlotRole::kPrimary);
  for (std::size_t i = 0; i < options_.tiers.size(); ++i) {
    const memory::TierState& known = governor_.tiers[i];
    TierStatus tier{.title = options_.tiers[i].Title(),
                    .model = options_.tiers[i].plan.model,
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
    status.at_once = AtOnce(SlotRole::kPrimary);
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
  status.delayed = queue_.Delayed(now);
  status.reason = reason_;
  status.zones = governor_.zones;
  status.sample = numbers_;
  status.counts = counts_;
  return status;
}

}  // namespace headroom::asr
