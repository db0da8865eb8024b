// Runners that are worker processes: each has a thread that waits for it, and those on a card hold
// the card's lock for as long as they live.
#pragma once

#include "engine/device_lock.h"
#include "engine/runner.h"

namespace headroom::engine {

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

}  // namespace headroom::engine
