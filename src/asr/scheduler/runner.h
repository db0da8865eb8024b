// A worker as the scheduler sees it: requests do not wait for answers. Tests replace it
// (asr/testing/fake_world.h), so a night of failing GPUs takes milliseconds; the product's runner
// is worker_runner.h.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>

#include "asr/client/decoding.h"
#include "asr/scheduler/utterance.h"

namespace headroom::asr {

/// What a runner has done. One for each Load and Run, then one for End.
struct RunnerEvent {
  enum class What { kLoaded, kRan, kEnded };
  What what = What::kLoaded;
  Result<ModelTraits> loaded = {};
  Result<BatchResult> ran = {};  // one for each clip
  bool alive = false;            // the process can be asked again
  WorkerStats stats = {};        // while it is alive
  Milliseconds took{};
};

/// One worker process. One request at a time; used from one thread, which is not kept waiting.
class Runner {
 public:
  /// Ends the process if that was not done; returns when it is gone.
  virtual ~Runner() = default;

  /// Starts the process too.
  virtual void Load(const LoadRequest& request) = 0;
  /// Several clips are computed together, by a worker that was loaded for as many. A run past
  /// `within` is a kTimeout.
  virtual void Run(const RecognitionOptions& options, std::vector<Clip> clips,
                   Milliseconds within) = 0;
  /// The run ends soon with kCancelled, the worker perhaps with it.
  virtual void Cancel() = 0;
  /// The process ends whatever it does; kEnded follows when it is gone, and an unfinished request
  /// has no event.
  virtual void End() = 0;
  /// What has happened, oldest first.
  virtual std::optional<RunnerEvent> Take() = 0;
  virtual pid_t pid() const = 0;  // -1: no process
};

class RunnerMaker {
 public:
  virtual ~RunnerMaker() = default;
  /// `wake` is called from any thread when Take has something. kBusy: another program of ours has
  /// the tier's device.
  virtual Result<std::unique_ptr<Runner>> Make(const Tier& tier, std::function<void()> wake) = 0;
  /// No other program of ours has the tier's device now.
  virtual bool Free(const Tier& tier) = 0;
};

}  // namespace headroom::asr
