// What goes into the scheduler and what comes out of it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "asr/scheduler/tier.h"
#include "audio/format/finite_audio.h"

namespace headroom::asr {

using Ticket = std::uint64_t;  // of a speculation; 0: none

/// One source of utterances: dictation, a stream, a job. Given by Scheduler::Connect.
using ClientId = std::uint64_t;
/// What an utterance is called everywhere: its client, and the client's own number for it.
struct UtteranceKey {
  ClientId client = 0;
  std::uint64_t id = 0;
  bool operator==(const UtteranceKey&) const = default;
};

/// How soon the text is missed.
enum class Urgency { kDictation, kStream, kFile };

/// The one rule for trying again. An utterance is tried in each tier once; when every tier has
/// failed it, it waits for `after`, which doubles, and starts over, until it has had `tries`. A
/// request that no tier can serve is not tried again.
struct RetryPolicy {
  int tries = 1;
  Milliseconds after{0};
};

struct Utterance {
  std::uint64_t id = 0;  // the client's, each at most once at a time
  ClientId client = 0;   // Scheduler::Client sets it
  RecognitionOptions options = {};
  audio::FiniteAudio audio = {};  // not empty, at most kMaxRunSamples
  /// A speculation that had the same options and exactly these samples, or these without silence
  /// at their end: its result, there or still to come, is taken. One that failed or was dropped
  /// costs nothing.
  Ticket adopt = 0;

  UtteranceKey key() const { return {client, id}; }
};

/// One for each utterance that was accepted, in the client's order of submission.
struct Decoded {
  std::uint64_t id = 0;
  ClientId client = 0;
  /// kCancelled: by Cancel or because the scheduler ended; any other error: every tier that could
  /// have decoded it has failed or cannot, in every try. Never silence; the audio stays the
  /// caller's.
  Result<RunResult> result;
  std::string tier;       // that decoded it; "" with an error
  int attempts = 0;       // runs that were begun for it, those that were cut off counted
  int failures = 0;       // of tiers
  bool adopted = false;   // by Utterance::adopt
  Milliseconds waited{};  // from its submission to the begin of the run that succeeded
  Milliseconds took{};    // from its submission to this
  Milliseconds audio{};   // its length
};

/// Every tier has failed an utterance, which is tried again after `after`.
struct Retried {
  std::uint64_t id = 0;
  ClientId client = 0;
  Error error{};
  Milliseconds after{};
};

struct Speculated {
  Ticket ticket = 0;
  std::uint64_t id = 0;
  ClientId client = 0;
  std::optional<RunResult> result;  // nullopt: it was dropped, or failed
};

enum class TierChange {
  kLoading,
  kReady,
  kEnded,       // its worker is gone
  kFailed,      // to load or to run
  kMemoryBack,  // after the end of its worker the GPU's memory came back
  kMemoryKept,  // it did not
};
std::string_view Name(TierChange change);  // "loading", "memory_kept", …

struct TierEvent {
  TierChange change = TierChange::kLoading;
  std::size_t tier = 0;
  std::string title;
  Milliseconds chunk{};  // the longest audio it is loaded for
  Milliseconds took{};   // kReady: to load; kMemoryBack: until it was seen
  std::string text;      // for a person: "canary-180m-flash Q8_0 on CUDA0 is ready after 1.2 s"
};

/// What becomes of a client's utterances. Called on the scheduler's thread, one at a time and under
/// no lock of the scheduler; they must return soon and may call the scheduler. Any may be empty.
struct ClientEvents {
  std::function<void(Decoded)> on_decoded = {};
  std::function<void(Speculated)> on_speculated = {};
  std::function<void(Retried)> on_retried = {};
};

/// Called like ClientEvents.
struct SchedulerEvents {
  std::function<void(const memory::Action&)> on_action;  // every one, with its reason
  std::function<void(const TierEvent&)> on_tier;
  std::function<void(const memory::Sample&)> on_sample;  // what was measured
  /// The service is to save its state and restart.
  std::function<void(const std::string& reason)> on_restart;
};

struct SchedulerCounts {
  std::int64_t submitted = 0, refused = 0, decoded = 0, failed = 0, cancelled = 0;
  std::int64_t speculated = 0, adopted = 0, dropped = 0;  // speculations
  std::int64_t loads = 0, worker_failures = 0;
  std::int64_t runs = 0;  // that were begun, speculations' too; one may decode several utterances
  std::int64_t device_allocations = 0;  // on the speech path, by all workers: to stay 0
};

struct TierStatus {
  std::string title;
  std::string model = {};  // "whisper-base"
  bool on_gpu = false;
  std::string state;           // "ready", "loading", "ending", "resting", "quarantined"
  Milliseconds quarantined{};  // for that much longer
  int failures = 0;            // in a row
};

struct SchedulerStatus {
  std::vector<TierStatus> tiers;    // best first
  std::optional<std::size_t> tier;  // that is ready
  Milliseconds chunk{};             // admitted; 0: none
  std::size_t at_once = 1;          // utterances that the ready worker decodes in one run
  std::string tier_title;           // "" when none is ready
  bool wanted = false, loading = false, decoding = false, speculation = true;
  bool paused = false;  // decoding; speech is kept
  bool yielded = false, suspended = false;
  std::size_t waiting = 0;  // utterances without their answer
  std::size_t delayed = 0;  // of them: that wait for another try
  std::string reason;       // of the last change, for a person
  std::array<memory::Zone, memory::kGauges> zones{};
  memory::Sample sample;  // the last one
  WorkerStats worker;     // of the ready worker, after its last run
  SchedulerCounts counts;
};

}  // namespace headroom::asr
