// The scheduler without its thread: utterances in, exactly one Decoded out for each, in order.
//
// Single-threaded and without waits: time comes from the clock, numbers from Readings, workers are
// Runners. Whoever owns it calls Turn whenever something was asked of it, a runner woke it, or
// next_turn() has come; everything happens in there: events of workers are taken, a sample if one
// is due, the governor's step, its actions, the next run. So no utterance is begun that was not
// admitted by a step with numbers of at most a second of age. What waits and asks for the same is
// decoded in one run where the loaded tier's plan has a batch. See docs/memory.md.
#pragma once

#include <deque>
#include <optional>

#include "asr/scheduler/decoding.h"
#include "asr/scheduler/readings.h"
#include "asr/scheduler/utterance.h"
#include "asr/scheduler/worker_pool.h"

namespace headroom::asr {

struct SchedulerOptions {
  std::vector<Tier> tiers = {};  // best first
  memory::Policy policy = {};    // thresholds, timing, rules; its tiers are made from `tiers`
  WhenCold when_cold = WhenCold::kWait;
  std::string language = "en";    // for models that must be told and requests that do not say
  std::size_t most_waiting = 64;  // utterances; more are refused
  /// How long the first load waits for the numbers of a card that was asleep.
  Milliseconds gpu_patience{2'000};
  /// An utterance that failed in some tiers, and for which no other can be loaded, waits so long.
  Milliseconds give_up{120'000};
  /// After a run of several utterances has failed, its tier decodes them one by one for so long.
  Milliseconds one_by_one{600'000};
};

/// kInvalid: no samples, too many, or a sample that is no number.
Result<> Validate(const Utterance& utterance);

class Dispatcher {
 public:
  /// `options` must have a valid policy (PolicyFor). `wake` asks for a Turn, from any thread.
  Dispatcher(SchedulerOptions options, RunnerMaker& maker, Readings& readings,
             SchedulerEvents events, std::function<void()> wake,
             const Clock& clock = SystemClock());
  ~Dispatcher();  // ends the workers, and what was not decoded is answered with kCancelled

  // What is asked takes effect in the next Turn.
  void SetWanted(bool wanted) { wanted_ = wanted; }
  Result<> Submit(Utterance utterance);
  void Speculate(Ticket ticket, Utterance utterance);
  void CancelSpeculation();
  /// Answered with kCancelled. False: it is not here any more.
  bool Cancel(std::uint64_t id);
  void Yield(bool yielded) { yielded_ = yielded; }
  /// The idle time is over at once, unless there is demand.
  void Unload() { unloading_ = true; }
  void Suspend() { suspending_ = true; }
  void Resume() { resumed_ = true; }

  void Turn();
  MonoTime next_turn() const { return next_; }

  /// After a Turn: no worker of ours is on the card; there is no worker at all.
  bool gpu_left() const { return workers_.GpuLeft(); }
  bool none_left() const { return workers_.Empty(); }
  const memory::State& governor() const { return governor_; }
  const memory::Policy& policy() const { return policy_; }
  SchedulerStatus status() const;

 private:
  using SlotRole = WorkerPool::SlotRole;
  struct Job {
    std::uint64_t number = 0;  // in the order of submission
    Utterance utterance;
    Samples source;  // what is decoded: its own samples, or those of the speculation it adopted
    SlotRole post = SlotRole::kMain;  // where it was begun
    MonoTime submitted{}, began{}, failed_at{};
    std::uint32_t failed = 0;  // bit for each tier
    std::string why;           // what the tiers said
    int attempts = 0, failures = 0;
    bool adopted = false;
    bool alone = false;  // a run of several that it was in failed: it is in none again
    std::optional<Decoding> decoding;  // begun
    std::optional<Decoded> done;       // waits for its turn: result and tier
  };
  struct Speculation {
    Ticket ticket = 0;
    Utterance utterance;
    MonoTime began{};
    std::optional<Decoding> decoding;
  };
  struct Done {
    Ticket ticket = 0;
    RunResult result;
    std::string tier;
    MonoTime began{};
  };
  struct Running {
    SlotRole post = SlotRole::kMain;
    bool speculative = false, dropped = false;
    MonoTime began{};
    Milliseconds audio{};  // of several, each counted as long as the longest
    std::vector<std::uint64_t> jobs =
        {};  // one for each clip; those that are not here were cancelled
    bool batched() const { return jobs.size() > 1; }
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
  void OnLoaded(const PoolEvent& event);
  void OnRan(PoolEvent& event);
  void OnRunFailed(const PoolEvent& event, const Running& run);
  void OnBatchFailed(const PoolEvent& event, const Running& run);
  void OnJobsRan(PoolEvent& event, const Running& run);
  void OnSpeculationRan(PoolEvent& event);
  Job* Find(std::uint64_t number);  // nullptr: it is not here, or done
  void SetAlone(Job& job);
  void FailJob(Job& job, std::size_t tier, const Error& error);
  void FailTier(memory::Target target, memory::Failure failure, const Error& error);
  void TellFailed(memory::Target target, const std::string& what);

  void Measure();
  void Govern();
  void CarryOut(const memory::Action& action);
  memory::Sample Seen() const;
  bool HoldBack() const;
  bool Demand() const { return wanted_ || !queue_.empty(); }
  bool Decodes(SlotRole post) const;
  std::optional<Milliseconds> DecodeLeft() const;

  // Sets of tiers.
  static std::uint32_t Bit(std::size_t tier) { return std::uint32_t{1} << tier; }
  std::uint32_t Unable(const RunRequest& request) const;
  std::uint32_t Excluded() const;
  std::optional<Error> Hopeless(const Job& job) const;
  void FinishReady();
  void Finish(Result<RunResult> result, std::string tier);

  void LoadFallback();
  void Dispatch();
  std::size_t AtOnce(SlotRole post) const;
  std::vector<Job*> Together(SlotRole post);
  void Begin(SlotRole post, const std::vector<Job*>& jobs);
  void BeginSpeculation();
  void Start(Running run, const RunRequest& request, std::vector<Clip> clips);
  Milliseconds LongestPiece(SlotRole post) const;
  RunRequest Fitted(RunRequest request, const ModelTraits& traits) const;
  void CutOff(SlotRole post);
  void DropSpeculation();
  void Answer(Ticket ticket, std::uint64_t id, std::optional<RunResult> result);
  Milliseconds PatienceWith(std::size_t tier, const Running& run) const;

  const SchedulerOptions options_;
  const memory::Policy policy_;
  Readings& readings_;
  const SchedulerEvents events_;
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

  std::deque<Job> queue_;
  std::uint64_t last_number_ = 0;
  std::optional<Speculation> speculation_;  // waits or runs
  std::optional<Done> done_;                // the last one that ended
  std::optional<Running> running_;
  std::vector<Rates> rates_;                   // of each tier
  std::vector<MonoTime> one_by_one_until_;     // of each tier
  std::array<std::int64_t, 2> allocations_{};  // by the worker of each post, counted already

  bool wanted_ = false, demand_ = false, yielded_ = false;
  bool suspending_ = false, resumed_ = false, unloading_ = false;
  std::string reason_;
  SchedulerCounts counts_;
};

}  // namespace headroom::asr
