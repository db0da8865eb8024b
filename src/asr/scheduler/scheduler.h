// Speech to text without losing any: a thread that owns the workers and obeys the governor, for
// every client that has utterances: dictation, live streams, files.
//
//   auto scheduler = Scheduler::Make({.tiers = …}, …);
//   auto client = scheduler->Connect(Urgency::kDictation, {.on_decoded = …});
//   client->SetWanted(true);                        // listening begins: a tier is loaded
//   const Ticket t = client->Speculate(…);          // silence began: the utterance may be over
//   client->Submit({.id = 1, …, .adopt = t});       // it is
//
// Guarantees: each utterance that was accepted has exactly one Decoded, in its client's order of
// submission. Which client is served next: request_queue.h. Nothing is loaded and no utterance
// begun without admission by the governor, others' use counted. An utterance fails at most once in
// each tier in each try. When memory is short the utterance waits. Any thread may call; events come
// on the scheduler's own.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <thread>

#include "asr/scheduler/dispatcher.h"
#include "base/mutex.h"

namespace headroom::asr {

class Scheduler {
 public:
  class Client;

  /// kInvalid: the tiers or the policy make no sense.
  static Result<std::unique_ptr<Scheduler>> Make(SchedulerOptions options, SchedulerEvents events,
                                                 std::unique_ptr<Readings> readings,
                                                 std::unique_ptr<RunnerMaker> runners = nullptr);
  /// Its clients are gone before.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  std::unique_ptr<Client> Connect(Urgency urgency, ClientEvents events, RetryPolicy retry = {});

  /// Leave the GPU, and stay away until Yield(false). Returns when it is left, or after `within`;
  /// false then. From an event: returns immediately.
  bool Yield(bool yielded, Milliseconds within = Milliseconds(5'000));
  /// Frees the memory as after the idle time. Waits like Yield; false also when there is demand.
  bool Unload(Milliseconds within = Milliseconds(5'000));
  /// Before the computer sleeps: the workers end. Waits like Yield.
  bool Suspend(Milliseconds within = Milliseconds(3'000));
  void Resume();
  /// Ends the workers for good; what waits is answered with kCancelled before this returns, and
  /// nothing more is accepted. Not from an event.
  void Stop();

  std::size_t waiting() const;  // utterances without their answer
  Milliseconds queue() const;   // speech in them
  SchedulerStatus status() const;

 private:
  struct Entry {  // of a client
    Urgency urgency = Urgency::kDictation;
    std::shared_ptr<const ClientEvents> events;
    bool wanted = false;
    std::size_t waiting = 0;
    Milliseconds audio{};
  };
  struct Speculation {
    ClientId client = 0;
    Urgency urgency = Urgency::kDictation;
    bool early = false;
  };

  Scheduler() = default;
  template <class Change>
  void Put(Change change) REQUIRES(mutex_);
  template <class Change>
  void Ask(Change change) EXCLUDES(mutex_);
  template <class Done>
  bool Await(Milliseconds within, Done done) EXCLUDES(mutex_);
  void Loop();
  DispatcherEvents Deliveries(SchedulerEvents events);
  template <class Event>
  void Deliver(std::function<void(Event)> ClientEvents::* to, Event event) EXCLUDES(mutex_);

  // For the clients.
  void Disconnect(ClientId client) EXCLUDES(mutex_);
  void SetWanted(ClientId client, bool wanted) EXCLUDES(mutex_);
  Result<> Submit(Utterance utterance) EXCLUDES(mutex_);
  Ticket Speculate(Utterance utterance, bool early) EXCLUDES(mutex_);
  void UpdateWanted() REQUIRES(mutex_);
  std::size_t Waiting() const REQUIRES(mutex_);

  std::unique_ptr<Readings> readings_;
  std::unique_ptr<RunnerMaker> runners_;
  std::unique_ptr<Dispatcher> dispatcher_;  // the thread's
  std::size_t most_waiting_ = 0;

  mutable Mutex mutex_;
  CondVar wake_, ticked_, delivered_;
  std::deque<std::function<void(Dispatcher&)>> inbox_ GUARDED_BY(mutex_);
  bool woken_ GUARDED_BY(mutex_) = false, end_ GUARDED_BY(mutex_) = false;
  std::uint64_t put_ GUARDED_BY(mutex_) = 0, done_ GUARDED_BY(mutex_) = 0;  // into the inbox
  bool gpu_left_ GUARDED_BY(mutex_) = true, none_left_ GUARDED_BY(mutex_) = true;
  std::map<ClientId, Entry> clients_ GUARDED_BY(mutex_);
  ClientId last_client_ GUARDED_BY(mutex_) = 0;
  ClientId delivering_ GUARDED_BY(mutex_) = 0;  // whose event is going on; 0: none
  std::map<Ticket, Speculation> speculations_
      GUARDED_BY(mutex_);  // unanswered; the last one counts
  Ticket last_ticket_ GUARDED_BY(mutex_) = 0;
  std::int64_t refused_ GUARDED_BY(mutex_) = 0;
  SchedulerStatus status_ GUARDED_BY(mutex_);  // as of the last tick

  std::thread thread_;
};

/// Any thread. Destroyed: what was submitted is forgotten, and no event comes any more; not from
/// within an event.
class Scheduler::Client {
 public:
  ~Client() { scheduler_.Disconnect(id_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Speech is to be expected: loading begins. Five minutes after no client wants it the worker
  /// ends.
  void SetWanted(bool wanted) { scheduler_.SetWanted(id_, wanted); }
  /// kBusy: too many wait. kInvalid: no samples, or too many. kCancelled: the scheduler
  /// is ending.
  Result<> Submit(Utterance utterance);
  /// A partial, or, with `early`, perhaps the whole utterance. Takes the place of the one before,
  /// of another client's too unless that is worth more; run when nothing better is to be done,
  /// dropped for anything better. Has one Speculated. 0: not wanted at present.
  Ticket Speculate(Utterance utterance, bool early);
  /// Only one's own; also of one that has ended, whose result is kept until then.
  void CancelSpeculation();
  /// The utterance is answered with kCancelled, unless its answer is under way.
  void Cancel(std::uint64_t id);

 private:
  friend Scheduler;
  Client(Scheduler& scheduler, ClientId id) : scheduler_(scheduler), id_(id) {}
  Scheduler& scheduler_;
  const ClientId id_;
};

}  // namespace headroom::asr
