// The policy that keeps memory in hand: Step(policy, state, sample, now) -> (state, actions). Pure:
// reads no clock, does no I/O, so a night can be replayed in milliseconds. Any thread.
//
// The caller takes a sample (10 Hz near a threshold, 0.2 Hz when idle), calls Step, keeps the state
// and carries the actions out in order. Step never trusts a number: unknown, negative, NaN or stale
// ones are conditions of their own. docs/memory.md has the table and the reasons.
//
// One governor looks after one GPU; every discrete tier lives on it. The chunk workspace is taken
// before a worker is called ready, so a worker holds Plan::Peak(chunk), speaking or not.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "memory/fit.h"
#include "memory/plan.h"
#include "memory/zones.h"

namespace headroom::memory {

inline constexpr std::size_t kMaxTiers = 8;

struct Timing {
  Milliseconds hold{30'000};              // in the lower zone before going up; doubles
  Milliseconds hold_longest{1'920'000};   // 32 min
  Milliseconds between_changes{600'000};  // without outside change
  Milliseconds steady{1'800'000};         // after so long in a tier its back-off is forgotten
  Milliseconds idle{300'000};             // then the worker ends
  Milliseconds finish{500};               // an utterance may end in danger if it takes no longer
  Milliseconds gpu_late{2'000};           // without numbers from the GPU: warning
  Milliseconds gpu_lost{10'000};          // then it counts as lost
  Milliseconds settle{5'000};             // after a change the GPU's numbers are mixed
  Milliseconds gap{15'000};  // samples farther apart prove nothing about the time between
  Milliseconds notify_again{600'000};
  Milliseconds drop_again{300'000};
  Milliseconds restart_after{300'000};  // own memory in danger although everything has been ended
  Milliseconds cool_down_longest{3'600'000};
  Milliseconds cool_down_cpu{10'000};  // the longest of a tier on the CPU
  double noise_percent = 2;            // of the GPU: smaller movements of others are not a change
};

struct Target;

struct Policy {
  std::vector<Plan> tiers;  // best first; at most kMaxTiers
  std::vector<Milliseconds> chunks = kChunks;
  Thresholds thresholds;
  FitRules rules;
  Timing timing;

  RunSize SizeOf(const Target& target) const;
};
Result<> Validate(const Policy& policy);

enum class Failure {
  kOutOfMemory,  // error 2
  kSticky,       // 700, 719, 999: until the process ends
  kLost,         // the GPU fell off the bus
  kHang,         // a deadline passed
  kCrash,
};
std::string_view Name(Failure failure);
std::optional<Failure> FailureFromName(std::string_view name);

/// What was measured and what happened since the last step. nullopt: not known.
struct Sample {
  std::optional<Bytes> vram_total, vram_used;   // of the whole GPU
  std::optional<Bytes> vram_others, vram_ours;  // either is enough; neither: the plan is believed
  /// The GPU is left alone so that it may sleep: no numbers of it are expected, and what was known
  /// of it is believed. Nothing of ours is on it.
  bool gpu_rests = false;
  std::optional<Bytes> ram;   // anonymous, shared, swapped of all our processes
  std::optional<Bytes> swap;  // of all our processes
  std::optional<Bytes> ram_available, host_total, memory_high;
  std::optional<Bytes> limit_left;  // bytes below the cgroup's MemoryMax
  std::optional<double> psi_some, psi_full;

  bool wanted = false;                      // the service listens, or speech waits for text
  bool decoding = false;                    // an utterance is in the worker
  std::optional<Milliseconds> decode_left;  // expected; unknown counts as long
  bool yielded = false;                     // a program asked for the GPU
  bool suspending = false, resumed = false;
  std::optional<Failure> failure;
  std::optional<std::size_t> failed_tier;  // which worker it was; unknown: the present target's
  /// A bit for each tier that cannot decode the utterance that waits: it failed it once already, or
  /// lacks its language.
  std::uint32_t excluded = 0;
};

/// A tier, an index into Policy::chunks, and whether one utterance is decoded at a time although
/// the tier's plan has a batch. Smaller is better.
struct Target {
  std::size_t tier = 0, chunk = 0;
  bool single = false;
  friend auto operator<=>(const Target&, const Target&) = default;
};

enum class Gauge { kVram, kRam, kSwap, kPressure, kGpu };
inline constexpr std::size_t kGauges = 5;
std::string_view Name(Gauge gauge);  // "VRAM", "RAM", "swap", …
std::optional<Gauge> GaugeFromName(std::string_view name);

enum class ActionKind {
  kZone,             // a gauge changed its zone: for the record and the status
  kNotify,           // such a zone or a worse one, for the user
  kStopSpeculation,  // no decoding on suspicion, no partials that are not needed
  kAllowSpeculation,
  kFinishUtterance,  // let it end if it does `within`; the next step ends the worker
  kEndWorker,        // before anything that follows it
  kLoad,             // a worker for `target`; `again`: an utterance was cut off, decode it again
  kQuarantine,       // that tier is not used for `within`
  kCorrectPlan,      // that tier takes `bytes` more than was planned
  kDropCaches,       // caches and buffers not needed now, and trim the allocator
  kPauseDecoding,    // speech is still spooled
  kResumeDecoding,
  kSaveAndRestart,  // of the service
};
std::string_view Name(ActionKind kind);  // "zone", "tell", "end_worker", …
std::optional<ActionKind> ActionKindFromName(std::string_view name);

struct Action {
  ActionKind kind = ActionKind::kZone;
  std::string reason;                         // for a person, never empty
  Gauge gauge = Gauge::kVram;                 // kZone, kNotify
  Zone from = Zone::kSafe, to = Zone::kSafe;  // kZone, kNotify
  Target target;                              // kLoad, kEndWorker, kQuarantine, kCorrectPlan
  Milliseconds within{};                      // kFinishUtterance, kQuarantine
  Bytes bytes;                                // kCorrectPlan
  bool again = false;                         // kLoad
};

/// What is remembered of one tier.
struct TierState {
  Bytes excess;      // found to be taken beyond the plan
  int failures = 0;  // in a row; doubles the cool-down
  int leaves = 0;    // soon after going up; doubles the hold
  MonoTime quarantined_until{};
  MonoTime up_at{};   // last went up to it
  bool left = false;  // for pressure on the GPU, and not been back for long
  Zone left_zone = Zone::kSafe;
  Bytes home_others;  // others' use when it was loaded, before it had to leave
};

/// Plain and cheap to copy. `paused` and `suspended` hold the worker back; `target` is the
/// decision.
struct State {
  bool started = false;
  MonoTime last{};
  std::optional<Target> target;
  std::array<TierState, kMaxTiers> tiers{};
  std::array<Zone, kGauges> zones{};
  std::array<Zone, kGauges> notified{};
  std::array<MonoTime, kGauges> notified_at{};

  Bytes total, others;     // last known of the GPU
  bool gpu_known = false;  // ever
  MonoTime gpu_at{};       // when last known
  Bytes admitted_others;   // what the present plan was admitted beside
  Bytes loaded_others;     // others' use when it was loaded
  Bytes change_others;     // others at the last change
  bool outside = true;     // something outside changed since the last change
  MonoTime changed_at{};
  std::optional<MonoTime> up_since, leave_by, quiet_since, idle_since, calm_since, suspended_at;
  Target up_to;             // what has been possible all the time since up_since
  bool shrink_due = false;  // a plan was put right: a smaller one at the next pause
  bool speculation = true;
  Bytes quiet_others;  // others at admission before speculation was stopped
  bool again = false;  // an utterance was cut off and waits for a worker

  bool paused = false, nothing_fits = false;
  int pauses = 0;
  MonoTime paused_at{}, resumed_at{};
  std::optional<MonoTime> dropped_at, restart_at;  // carry restart_at over a restart
  bool wanted = false, yielded = false;            // of the last sample
};

struct Outcome {
  State state;
  std::vector<Action> actions;
};

/// `policy` must be valid. Time that goes backwards counts as standing still.
Outcome Step(const Policy& policy, State state, const Sample& sample, MonoTime now);

/// Others' use and what the target holds by plan, of the GPU; nullopt without a GPU or target on
/// it.
std::optional<Bytes> PlannedUse(const Policy& policy, const State& state);

}  // namespace headroom::memory
