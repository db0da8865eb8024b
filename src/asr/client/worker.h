// A worker process as seen by its supervisor: spawned, asked, cancelled, replaced.
//
// Whatever the worker does (dies, hangs, answers nonsense, never answers) becomes a typed Error
// within the request's deadline. After kWorkerLost, kTimeout or kProtocol the process has been
// killed and reaped: alive() is false and every further request fails immediately; make a new
// Worker. One thread at a time; raising a CancelToken is allowed from any thread.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "asr/client/channel.h"
#include "asr/client/protocol.h"
#include "base/cancel.h"
#include "base/child.h"
#include "base/clock.h"

namespace headroom::asr {

/// A cancelled run has ended after this long, with the worker or by killing it.
inline constexpr Milliseconds kCancelWithin{150};

struct WorkerOptions {
  std::string program = "headroom-worker-cpu";  // found with FindProgram, or a path
  Milliseconds start_within{10'000};            // for the Hello
};

class Worker {
 public:
  static Result<std::unique_ptr<Worker>> Spawn(const WorkerOptions& options);
  ~Worker();  // asks it to exit, then kills it
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Cancelling ends the worker, unless it was just ready.
  Result<ModelTraits> Load(const LoadRequest& request, Milliseconds within,
                           CancelToken* cancel = nullptr);
  /// `samples`: 16 kHz mono in -1…1, at most kMaxRunSamples. kCancelled when `cancel` is raised.
  Result<RunResult> Run(const RecognitionOptions& options, std::span<const float> samples,
                        Milliseconds within, CancelToken* cancel = nullptr);
  /// Clips in one run; a model that was loaded with a `batch` as large allocates nothing for it.
  /// Fails as a whole for what ends a run; what is wrong with one clip is its own Error.
  Result<BatchResult> RunBatch(const RecognitionOptions& options,
                               std::span<const std::span<const float>> clips, Milliseconds within,
                               CancelToken* cancel = nullptr);
  /// What the model would need, measured by the real engine. Load no model before it, and Stop the
  /// worker after it.
  Result<PlanResult> Plan(const PlanRequest& request, Milliseconds within);
  Result<WorkerStats> Stats(Milliseconds within);
  /// Ends the process in an orderly way; its memory is given back when this returns.
  Result<Exit> Stop(Milliseconds within);

  bool alive() const { return alive_; }
  pid_t pid() const { return child_.pid(); }
  const Hello& hello() const { return hello_; }

 private:
  Worker(Child child, Channel&& channel, Fd words);
  Result<nlohmann::json> Ask(const char* operation, nlohmann::json arguments,
                             std::span<const int> fds, Milliseconds within, CancelToken* cancel);
  struct Patience {
    MonoTime began;
    Milliseconds within, starved;  // until then
  };
  Result<nlohmann::json> AwaitReply(std::int64_t id, const Patience& patience, CancelToken* cancel);
  MonoTime Fair(const Patience& patience) const;
  Result<Message> AwaitMessage(MonoTime deadline, CancelToken* cancel);
  Error Lost(Error error);
  void ReadLastWords();

  Child child_;
  Channel channel_;
  Fd words_;                // read end of the worker's stderr
  std::string last_words_;  // its tail, at most kLastWords
  Hello hello_;
  std::int64_t next_id_ = 1;
  bool alive_ = true;
};

/// How long a run may take before the worker is taken for hung, not counting the time it stood
/// ready and other programs had the CPU: five times what it needed so far
/// (`seconds_per_second` of audio, 0 when nothing was measured yet), never under ten seconds.
Milliseconds RunDeadline(Milliseconds audio, double seconds_per_second);

/// How long loading may take: a minute, and the file at 20 MB/s, which is slower than any disk that
/// is worth waiting for.
Milliseconds LoadDeadline(const std::filesystem::path& model);

}  // namespace headroom::asr
