#include "asr/scheduler/scheduler.h"

#include <algorithm>

#include "asr/scheduler/worker_runner.h"
#include "base/check.h"

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
                                   self.Deliveries(std::move(events)), [&self] {
                                     const MutexLock lock(self.mutex_);
                                     self.woken_ = true;
                                     self.wake_.NotifyOne();
                                   });
  {
    const MutexLock lock(self.mutex_);
    self.status_ = self.dispatcher_->status();
  }
  self.thread_ = std::thread([&self] { self.Loop(); });
  return scheduler;
}

Scheduler::~Scheduler() {
  Stop();
}

void Scheduler::Stop() {
  if (!thread_.joinable()) return;
  {
    const MutexLock lock(mutex_);
    end_ = true;
    wake_.NotifyOne();
  }
  thread_.join();
}

// ---- the inbox ----

template <class Change>
void Scheduler::Put(Change change) {
  inbox_.emplace_back(std::move(change));
  ++put_;
  wake_.NotifyOne();
}

template <class Change>
void Scheduler::Ask(Change change) {
  const MutexLock lock(mutex_);
  if (!end_) Put(std::move(change));
}

template <class Done>
bool Scheduler::Await(Milliseconds within, Done done) {
  if (std::this_thread::get_id() == thread_.get_id()) return false;
  const MutexLock lock(mutex_);
  const std::uint64_t put = put_;
  return ticked_.WaitFor(mutex_, within, [&]() REQUIRES(mutex_) {
    return end_ || (done_ >= put && done());
  }) && !end_;
}

bool Scheduler::Yield(bool yielded, Milliseconds within) {
  Ask([yielded](Dispatcher& d) { d.Yield(yielded); });
  return !yielded || Await(within, [this]() REQUIRES(mutex_) { return gpu_left_; });
}

bool Scheduler::Unload(Milliseconds within) {
  Ask([](Dispatcher& d) { d.Unload(); });
  return Await(within, [this]() REQUIRES(mutex_) { return none_left_; });
}

bool Scheduler::Suspend(Milliseconds within) {
  Ask([](Dispatcher& d) { d.Suspend(); });
  return Await(within, [this]() REQUIRES(mutex_) { return none_left_; });
}

void Scheduler::Resume() {
  Ask([](Dispatcher& d) { d.Resume(); });
}

// ---- clients ----

std::unique_ptr<Scheduler::Client> Scheduler::Connect(Urgency urgency, ClientEvents events,
                                                      RetryPolicy retry) {
  const MutexLock lock(mutex_);
  const ClientId id = ++last_client_;
  clients_[id] = {.urgency = urgency,
                  .events = std::make_shared<const ClientEvents>(std::move(events))};
  Put([id, urgency, retry](Dispatcher& d) { d.Connect(id, urgency, retry); });
  return std::unique_ptr<Client>(new Client(*this, id));
}

void Scheduler::Disconnect(ClientId client) {
  const MutexLock lock(mutex_);
  clients_.erase(client);
  Put([client](Dispatcher& d) { d.Disconnect(client); });
  UpdateWanted();
  delivered_.Wait(mutex_, [&]() REQUIRES(mutex_) { return delivering_ != client; });
}

void Scheduler::UpdateWanted() {
  const bool wanted =
      std::ranges::any_of(clients_, [](const auto& client) { return client.second.wanted; });
  Put([wanted](Dispatcher& d) { d.SetWanted(wanted); });
}

void Scheduler::SetWanted(ClientId client, bool wanted) {
  const MutexLock lock(mutex_);
  clients_.at(client).wanted = wanted;
  UpdateWanted();
}

std::size_t Scheduler::Waiting() const {
  std::size_t waiting = 0;
  for (const auto& [id, client] : clients_) waiting += client.waiting;
  return waiting;
}

Result<> Scheduler::Submit(Utterance utterance) {
  TRY(Validate(utterance));
  const MutexLock lock(mutex_);
  if (end_) return Fail(Errc::kCancelled, "the scheduler is ending");
  if (const std::size_t waiting = Waiting(); waiting >= most_waiting_) {
    ++refused_;
    return Fail(Errc::kBusy, "{} utterances wait already", waiting);
  }
  Entry& client = clients_.at(utterance.client);
  ++client.waiting;
  client.audio += utterance.audio.duration();
  Put([utterance = std::move(utterance)](Dispatcher& d) {
    CHECK(d.Submit(utterance).has_value());  // its bound is that of the check above
  });
  return {};
}

Ticket Scheduler::Speculate(Utterance utterance, bool early) {
  if (!Validate(utterance)) return 0;
  const MutexLock lock(mutex_);
  if (end_ || !status_.speculation || Waiting() > status_.delayed) return 0;
  const Speculation mine{
      .client = utterance.client, .urgency = clients_.at(utterance.client).urgency, .early = early};
  if (!speculations_.empty()) {
    const Speculation& other = speculations_.rbegin()->second;
    const bool better = mine.urgency < other.urgency ||
                        (mine.urgency == other.urgency && mine.early && !other.early);
    if (other.client != mine.client && !better) return 0;
  }
  const Ticket ticket = ++last_ticket_;
  speculations_.emplace(ticket, mine);
  Put([ticket, utterance = std::move(utterance)](Dispatcher& d) {
    d.Speculate(ticket, utterance);
  });
  return ticket;
}

Result<> Scheduler::Client::Submit(Utterance utterance) {
  utterance.client = id_;
  return scheduler_.Submit(std::move(utterance));
}

Ticket Scheduler::Client::Speculate(Utterance utterance, bool early) {
  utterance.client = id_;
  return scheduler_.Speculate(std::move(utterance), early);
}

void Scheduler::Client::CancelSpeculation() {
  scheduler_.Ask([id = id_](Dispatcher& d) { d.CancelSpeculation(id); });
}

void Scheduler::Client::Cancel(std::uint64_t id) {
  scheduler_.Ask(
      [key = UtteranceKey{id_, id}](Dispatcher& d) { static_cast<void>(d.Cancel(key)); });
}

// ---- events: on the thread ----

template <class Event>
void Scheduler::Deliver(std::function<void(Event)> ClientEvents::* to, Event event) {
  std::shared_ptr<const ClientEvents> events;
  {
    const MutexLock lock(mutex_);
    const auto client = clients_.find(event.client);
    if (client == clients_.end()) return;
    if constexpr (std::is_same_v<Event, Decoded>) {
      --client->second.waiting;
      client->second.audio -= event.audio;
    }
    events = client->second.events;
    delivering_ = event.client;
  }
  if (const auto& handler = *events.*to) handler(std::move(event));
  events.reset();
  const MutexLock lock(mutex_);
  delivering_ = 0;
  delivered_.NotifyAll();
}

DispatcherEvents Scheduler::Deliveries(SchedulerEvents events) {
  DispatcherEvents all;
  static_cast<SchedulerEvents&>(all) = std::move(events);
  all.on_decoded = [this](Decoded one) { Deliver(&ClientEvents::on_decoded, std::move(one)); };
  all.on_retried = [this](Retried one) { Deliver(&ClientEvents::on_retried, std::move(one)); };
  all.on_speculated = [this](Speculated one) {
    {
      const MutexLock lock(mutex_);
      speculations_.erase(one.ticket);
    }
    Deliver(&ClientEvents::on_speculated, std::move(one));
  };
  return all;
}

// ---- the thread ----

void Scheduler::Loop() {
  MutexLock lock(mutex_);
  while (!end_) {
    wake_.WaitUntil(mutex_, dispatcher_->next_tick(),
                    [this]() REQUIRES(mutex_) { return end_ || woken_ || !inbox_.empty(); });
    woken_ = false;
    std::deque<std::function<void(Dispatcher&)>> inbox;
    inbox.swap(inbox_);
    lock.Unlock();
    for (const auto& change : inbox) change(*dispatcher_);
    dispatcher_->Tick();
    SchedulerStatus status = dispatcher_->status();
    lock.Lock();
    status_ = std::move(status);
    gpu_left_ = dispatcher_->gpu_left();
    none_left_ = dispatcher_->none_left();
    done_ += inbox.size();
    ticked_.NotifyAll();
  }
  std::deque<std::function<void(Dispatcher&)>> inbox;
  inbox.swap(inbox_);
  lock.Unlock();
  for (const auto& change : inbox) change(*dispatcher_);  // what was accepted is answered
  dispatcher_.reset();
  ticked_.NotifyAll();
}

std::size_t Scheduler::waiting() const {
  const MutexLock lock(mutex_);
  return Waiting();
}

Milliseconds Scheduler::queue() const {
  const MutexLock lock(mutex_);
  Milliseconds queue(0);
  for (const auto& [id, client] : clients_) queue += client.audio;
  return queue;
}

SchedulerStatus Scheduler::status() const {
  const MutexLock lock(mutex_);
  SchedulerStatus status = status_;
  status.waiting = Waiting();
  status.counts.refused += refused_;
  return status;
}

}  // namespace headroom::asr
