#include "asr/scheduler/scheduler.h"

#include "asr/scheduler/worker_runner.h"

namespace headroom::asr {

Result<std::unique_ptr<Scheduler>> Scheduler::Make(SchedulerOptions options, SchedulerEvents events,
                                                   std::unique_ptr<Readings> readings,
                                                   std::unique_ptr<RunnerMaker> runners) {
  if (auto policy = PolicyFor(options.tiers, options.policy); !policy)
    return Within(policy, "tiers");
  std::unique_ptr<Scheduler> scheduler(new Scheduler());
  Scheduler& self = *scheduler;
  self.readings_ = std::move(readings);
  self.runners_ = runners ? std::move(runners) : std::make_unique<WorkerRunnerMaker>();
  self.most_waiting_ = options.most_waiting;
  self.dispatcher_ =
      std::make_unique<Dispatcher>(std::move(options), *self.runners_, *self.readings_,
                                   self.Watched(std::move(events)), [&self] {
                                     const std::lock_guard lock(self.mutex_);
                                     self.woken_ = true;
                                     self.wake_.notify_one();
                                   });
  self.status_ = self.dispatcher_->status();
  self.thread_ = std::thread([&self] { self.Loop(); });
  return scheduler;
}

Scheduler::~Scheduler() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

SchedulerEvents Scheduler::Watched(SchedulerEvents events) {
  events.on_decoded = [this, tell = std::move(events.on_decoded)](Decoded decoded) {
    {
      const std::lock_guard lock(mutex_);
      --waiting_;
    }
    if (tell) tell(std::move(decoded));
  };
  return events;
}

template <class Change>
void Scheduler::Tell(Change change) {
  const std::lock_guard lock(mutex_);
  if (end_) return;
  mail_.emplace_back(std::move(change));
  ++asked_;
  wake_.notify_one();
}

void Scheduler::SetWanted(bool wanted) {
  Tell([wanted](Dispatcher& d) { d.SetWanted(wanted); });
}

Result<> Scheduler::Submit(Utterance utterance) {
  TRY(Validate(utterance));
  {
    const std::lock_guard lock(mutex_);
    if (end_) return Fail(Errc::kCancelled, "the scheduler is ending");
    if (waiting_ >= most_waiting_) {
      ++refused_;
      return Fail(Errc::kBusy, "{} utterances wait already", waiting_);
    }
    ++waiting_;
    mail_.emplace_back([utterance = std::move(utterance)](Dispatcher& d) {
      (void)d.Submit(utterance);  // its bound is ours
    });
    ++asked_;
    wake_.notify_one();
  }
  return {};
}

Ticket Scheduler::Speculate(Utterance utterance) {
  if (!Validate(utterance)) return 0;
  const std::lock_guard lock(mutex_);
  if (end_ || !speculation_ || waiting_ > 0) return 0;
  const Ticket ticket = next_ticket_++;
  mail_.emplace_back([ticket, utterance = std::move(utterance)](Dispatcher& d) {
    d.Speculate(ticket, utterance);
  });
  ++asked_;
  wake_.notify_one();
  return ticket;
}

void Scheduler::CancelSpeculation() {
  Tell([](Dispatcher& d) { d.CancelSpeculation(); });
}

void Scheduler::Cancel(std::uint64_t id) {
  Tell([id](Dispatcher& d) { (void)d.Cancel(id); });
}

template <class Done>
bool Scheduler::Await(Milliseconds within, Done done) {
  if (std::this_thread::get_id() == thread_.get_id()) return false;
  std::unique_lock lock(mutex_);
  const std::uint64_t asked = asked_;
  return turned_.wait_for(lock, within, [&] { return end_ || (done_ >= asked && done()); }) &&
         !end_;
}

bool Scheduler::Yield(bool yielded, Milliseconds within) {
  Tell([yielded](Dispatcher& d) { d.Yield(yielded); });
  return !yielded || Await(within, [this] { return gpu_left_; });
}

bool Scheduler::Unload(Milliseconds within) {
  Tell([](Dispatcher& d) { d.Unload(); });
  return Await(within, [this] { return none_left_; });
}

bool Scheduler::Suspend(Milliseconds within) {
  Tell([](Dispatcher& d) { d.Suspend(); });
  return Await(within, [this] { return none_left_; });
}

void Scheduler::Resume() {
  Tell([](Dispatcher& d) { d.Resume(); });
}

std::size_t Scheduler::at_once() const {
  const std::lock_guard lock(mutex_);
  return status_.at_once;
}

SchedulerStatus Scheduler::status() const {
  const std::lock_guard lock(mutex_);
  SchedulerStatus status = status_;
  status.waiting = waiting_;
  status.counts.refused += refused_;
  return status;
}

void Scheduler::Loop() {
  std::unique_lock lock(mutex_);
  while (!end_) {
    wake_.wait_until(lock, dispatcher_->next_turn(),
                     [&] { return end_ || woken_ || !mail_.empty(); });
    woken_ = false;
    std::deque<std::function<void(Dispatcher&)>> mail;
    mail.swap(mail_);
    lock.unlock();
    for (const auto& letter : mail) letter(*dispatcher_);
    dispatcher_->Turn();
    SchedulerStatus status = dispatcher_->status();
    lock.lock();
    status_ = std::move(status);
    speculation_ = status_.speculation;
    gpu_left_ = dispatcher_->gpu_left();
    none_left_ = dispatcher_->none_left();
    done_ += mail.size();
    turned_.notify_all();
  }
  std::deque<std::function<void(Dispatcher&)>> mail;
  mail.swap(mail_);
  lock.unlock();
  for (const auto& letter : mail) letter(*dispatcher_);  // what was accepted is answered
  dispatcher_.reset();
  turned_.notify_all();
}

}  // namespace headroom::asr
