// Runners that are worker processes: each has a thread that waits for it, and those on a GPU hold
// its lock for as long as they live.
#pragma once

#include "asr/client/device_lock.h"
#include "asr/scheduler/runner.h"

namespace headroom::asr {

struct WorkerRunnerOptions {
  Milliseconds start_within{10'000};
  std::filesystem::path locks = DeviceLockFolder();
};

class WorkerRunnerMaker : public RunnerMaker {
 public:
  explicit WorkerRunnerMaker(WorkerRunnerOptions options = {}) : options_(std::move(options)) {}
  Result<std::unique_ptr<Runner>> Make(const Tier& tier, std::function<void()> wake) override;
  bool Free(const Tier& tier) override;

 private:
  const WorkerRunnerOptions options_;
};

}  // namespace headroom::asr
