// Speech to text without losing any: a thread that owns the workers and obeys the governor.
//
//   auto scheduler = Scheduler::Make({.tiers = …}, {.on_decoded = …});
//   scheduler->SetWanted(true);             // listening begins: the best tier that fits is loaded
//   const Ticket t = scheduler->Speculate(…);      // silence began: perhaps the utterance is over
//   scheduler->Submit({.id = 1, …, .adopt = t});   // it is
//
// Guarantees: each utterance that was accepted has exactly one Decoded, in the order of submission.
// Nothing is loaded and no utterance begun without admission by the governor, others' use counted.
// An utterance fails at most once in each tier. When memory is short the utterance waits; the audio
// stays the caller's until then. Any thread may call; events come on the scheduler's own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "asr/scheduler/dispatcher.h"

namespace headroom::asr {

class Scheduler {
 public:
  /// kInvalid: the tiers or the policy make no sense.
  static Result<std::unique_ptr<Scheduler>> Make(SchedulerOptions options, SchedulerEvents events,
                                                 std::unique_ptr<Readings> readings,
                                                 std::unique_ptr<RunnerMaker> runners = nullptr);
  /// Ends the workers; what waits is answered with kCancelled before this returns.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Somebody listens. Loading begins; five minutes after it ends the worker does.
  void SetWanted(bool wanted);
  /// kBusy: too many wait. kInvalid: no samples, too many, or not finite.
  Result<> Submit(Utterance utterance);
  /// A partial, or a final on suspicion. Takes the place of the one before; run when nothing better
  /// is to be done, dropped for anything better. Has one Speculated. 0: not wanted at present.
  Ticket Speculate(Utterance utterance);
  void CancelSpeculation();
  /// The utterance is answered with kCancelled, unless it was decoded already.
  void Cancel(std::uint64_t id);

  /// Leave the card, and stay away until Yield(false). Returns when it is left, or after `within`;
  /// false then. From an event: returns at once.
  bool Yield(bool yielded, Milliseconds within = Milliseconds(5'000));
  /// The memory back now, as after the idle time. Waits like Yield; false also when there is
  /// demand.
  bool Unload(Milliseconds within = Milliseconds(5'000));
  /// Before the computer sleeps: the workers end. Waits like Yield.
  bool Suspend(Milliseconds within = Milliseconds(3'000));
  void Resume();

  /// Utterances that may be decoded in one run at present: as many are best submitted together.
  std::size_t at_once() const;
  SchedulerStatus status() const;

 private:
  Scheduler() = default;
  template <class Change>
  void Tell(Change change);
  template <class Done>
  bool Await(Milliseconds within, Done done);
  void Loop();
  SchedulerEvents Watched(SchedulerEvents events);

  std::unique_ptr<Readings> readings_;
  std::unique_ptr<RunnerMaker> runners_;
  std::unique_ptr<Dispatcher> dispatcher_;  // the thread's

  mutable std::mutex mutex_;
  std::condition_variable wake_, turned_;
  std::deque<std::function<void(Dispatcher&)>> mail_;  // guarded by mutex_, as all below
  bool woken_ = false, end_ = false;
  std::uint64_t asked_ = 0, done_ = 0;  // mail put in and taken
  bool gpu_left_ = true, none_left_ = true;
  std::size_t waiting_ = 0, most_waiting_ = 0;
  std::int64_t refused_ = 0;
  Ticket next_ticket_ = 1;
  bool speculation_ = true;
  SchedulerStatus status_;

  std::thread thread_;
};

}  // namespace headroom::asr
