// The scheduler without its thread: utterances in, exactly one Decoded out for each.
//
// Single-threaded and without waits: time comes from the clock, numbers from Readings, workers are
// Runners. The owner calls Tick after every request to it, whenever a runner woke it, and at
// next_tick(); everything happens in there: events of workers are taken, a sample if one is due,
// the governor's step, its actions, the next run. So no utterance is begun that was not admitted by
// a step with numbers of at most a second of age.
//
// When a worker is free it takes the utterance that is due first (request_queue.h), with those due
// next that have equal options where the loaded tier's plan has a batch. What was taken is finished
// before anything else is: it stays at the front through failing tiers, smaller plans and pauses of
// decoding. See docs/memory.md.
#pragma once

#include <deque>
#include <optional>

#include "asr/scheduler/readings.h"
#include "asr/scheduler/request_queue.h"
#include "asr/scheduler/utterance.h"
#include "asr/scheduler/when_cold.h"
#include "asr/scheduler/worker_pool.h"

namespace headroom::asr {

struct SchedulerOptions {
  std::vector<Tier> tiers = {};  // best first
  memory::Policy policy = {};    // thresholds, timing, rules; its tiers are made from `tiers`
  WhenCold when_cold = WhenCold::kWait;
  std::string language = "en";     // for models that need one and requests without one
  std::size_t most_waiting = 256;  // utterances; more are refused
  /// How long the first load waits for the numbers of a GPU that was asleep.
  Milliseconds gpu_patience{2'000};
  /// An utterance that failed in some tiers, and for which no other can be loaded, waits so long.
  Milliseconds give_up{120'000};
  /// After a run of several utterances has failed, its tier decodes them one by one for so long.
  Milliseconds one_by_one{600'000};
};

/// kInvalid: no samples, or too many.
Result<> Validate(const Utterance& utterance);

/// Those of the scheduler, and those of its clients with every client's utterances.
struct DispatcherEvents : SchedulerEvents, ClientEvents {};

class Dispatcher {
 public:
  /// `options` must have a valid policy (PolicyFor). `wake` asks for a Tick, from any thread.
  Dispatcher(SchedulerOptions options, RunnerMaker& maker, Readings& readings,
             DispatcherEvents events, std::function<void()> wake,
             const Clock& clock = SystemClock());
  ~Dispatcher();  // ends the workers, and what was not decoded is answered with kCancelled

  // Every request takes effect in the next Tick.
  void Connect(ClientId client, Urgency urgency, RetryPolicy retry = {});
  /// Its utterances are forgotten: no event comes for them.
  void Disconnect(ClientId client);
  void SetWanted(bool wanted) { wanted_ = wanted; }
  /// kBusy: too many wait. The client is connected.
  Result<> Submit(Utterance utterance);
  void Speculate(Ticket ticket, Utterance utterance);
  /// If it is the client's; a result that was not adopted is forgotten too.
  void CancelSpeculation(ClientId client);
  /// Answered with kCancelled. False: it is not here any more.
  bool Cancel(UtteranceKey key);
  void Yield(bool yielded) { yielded_ = yielded; }
  /// The idle time is over now, unless there is demand.
  void Unload() { unloading_ = true; }
  void Suspend() { suspending_ = true; }
  void Resume() { resumed_ = true; }

  void Tick();
  MonoTime next_tick() const { return next_; }

  /// After a Tick: no worker of ours is on a GPU; there is no worker at all.
  bool gpu_left() const { return workers_.GpuLeft(); }
  bool none_left() const { return workers_.Empty(); }
  const memory::State& governor() const { return governor_; }
  const memory::Policy& policy() const { return policy_; }
  SchedulerStatus status() const;

 private:
  using SlotRole = WorkerPool::SlotRole;
  struct Speculation {
    Ticket ticket = 0;
    Utterance utterance;
    MonoTime began{};
    std::optional<Decoding> decoding;
  };
  struct Done {
    Ticket ticket = 0;
    ClientId client = 0;
    RunResult result;
    std::string tier;
    MonoTime began{};
  };
  struct Running {
    SlotRole role = SlotRole::kPrimary;
    bool speculative = false, dropped = false;
    MonoTime began{};
    Milliseconds audio{};  // of several, each counted as long as the longest
    /// The seq of the request of each clip; those that are not here any more were cancelled.
    std::vector<std::uint64_t> requests = {};
    bool batched() const { return requests.size() > 1; }
  };
  // Seconds of computing for a second of audio.
  struct Rate {
    double audio = 0, run = 0;  // seconds
    double value() const { return audio > 0 ? run / audio : 0; }
  };
  struct Rates {
    Rate single, batched;
    double at_most = 0;  // as loading bounds it; 0: not known
  };

  void TakeEvents();
  void OnLoaded(const WorkerPool::Event& event);
  void OnRan(WorkerPool::Event& event);
  void OnRunFailed(const WorkerPool::Event& event, const Running& run);
  void OnBatchFailed(const WorkerPool::Event& event, const Running& run);
  void OnRequestsRan(WorkerPool::Event& event, const Running& run);
  void OnSpeculationRan(WorkerPool::Event& event);
  void SetAlone(Request& request);
  void FailRequest(Request& request, std::size_t tier, const Error& error);
  void FailTier(memory::Target target, memory::Failure failure, const Error& error);
  void ReportFailure(memory::Target target, const std::string& what);

  void Measure();
  void Govern();
  void CarryOut(const memory::Action& action);
  memory::Sample Seen();
  bool HoldBack() const;
  bool Demand() const { return wanted_ || queue_.Busy(clock_.Now()); }
  bool Decodes(SlotRole role) const;
  std::optional<Milliseconds> DecodeLeft() const;

  // Sets of tiers.
  static std::uint32_t Bit(std::size_t tier) { return std::uint32_t{1} << tier; }
  std::uint32_t Unable(const RecognitionOptions& options) const;
  std::uint32_t Excluded(const Request* head) const;
  std::optional<Error> Hopeless(const Request& head) const;

  // Requests.
  Request* Head();                        // being served, or due first; nullptr: nothing is due
  Request* FindTaken(std::uint64_t seq);  // nullptr: it was cancelled
  void Take(Request& request);
  void Settle(Request& request, Result<RunResult> answer, std::string tier = {});
  void StopUnwantedRun();
  void EndTry(Request& request, Error error);
  void SendAnswers();
  void Send(Request request);

  void LoadFallback();
  void Dispatch();
  std::size_t AtOnce(SlotRole role) const;
  void TakeBatch(SlotRole role, Request& head);
  std::vector<Request*> Together(SlotRole role);
  void Begin(SlotRole role, const std::vector<Request*>& requests);
  void BeginSpeculation();
  void Start(Running run, const RecognitionOptions& options, std::vector<Clip> clips);
  Milliseconds LongestPiece(SlotRole role) const;
  RecognitionOptions Fitted(RecognitionOptions options, const ModelTraits& traits) const;
  void CutOff(SlotRole role);
  void DropSpeculation();
  void AnswerSpeculation(Ticket ticket, const Utterance& utterance,
                         std::optional<RunResult> result);
  Milliseconds PatienceWith(std::size_t tier, const Running& run) const;

  const SchedulerOptions options_;
  const memory::Policy policy_;
  Readings& readings_;
  const DispatcherEvents events_;
  const Clock& clock_;
  WorkerPool workers_;
  const bool has_gpu_;

  memory::State governor_;
  memory::Sample numbers_;  // as measured
  MonoTime measured_at_{}, sample_due_{}, next_{}, hold_until_{};
  std::optional<MonoTime> finish_by_;
  struct TierFailure {
    memory::Failure failure;
    std::size_t tier;
  };
  std::deque<TierFailure> failures_;  // for the governor's next steps

  RequestQueue queue_;
  std::vector<Request*> taken_;  // and not answered; in the order in which they were
  std::uint64_t head_seq_ = 0;   // of the head at the last look, and since when it is
  MonoTime head_since_{};
  std::optional<Speculation> speculation_;  // waits or runs
  std::optional<Done> done_;                // the last one that ended
  std::optional<Running> running_;
  std::vector<Rates> rates_;                   // of each tier
  std::vector<MonoTime> one_by_one_until_;     // of each tier
  std::array<std::int64_t, 2> allocations_{};  // by the worker of each role, already counted

  bool wanted_ = false, demand_ = false, yielded_ = false;
  bool suspending_ = false, resumed_ = false, unloading_ = false;
  std::string reason_;
  SchedulerCounts counts_;
};

}  // namespace headroom::asr
