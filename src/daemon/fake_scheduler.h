// A real scheduler with one worker of the scripted engine (worker/engine_fake.cc), for tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "daemon/switchboard.h"
#include "engine/scripted_tier.h"
#include "engine/worker_runner.h"

namespace headroom::daemon {

/// Its events go to `board`, which is not begun yet. The worker takes `batch` utterances at once.
inline std::unique_ptr<engine::Scheduler> FakeScheduler(const std::string& script,
                                                        Switchboard& board, int batch = 1) {
  engine::Tier tier = engine::Scripted(script);
  if (batch > 1) {
    tier.plan.kind = memory::DeviceKind::kUnified;
    tier.plan.batch = batch;
    tier.plan.batched = tier.plan.workspace;
  }
  engine::SchedulerEvents to;
  to.on_decoded = [&board](engine::Decoded one) { board.OnDecoded(std::move(one)); };
  to.on_speculated = [&board](engine::Speculated one) { board.OnSpeculated(std::move(one)); };
  memory::Policy policy;
  policy.timing.cool_down_cpu = Milliseconds(300);
  auto made = engine::Scheduler::Make(
      {.tiers = {std::move(tier)}, .policy = std::move(policy), .give_up = Milliseconds(200)},
      std::move(to), std::make_unique<engine::Still>(),
      std::make_unique<engine::WorkerRunnerMaker>());
  EXPECT_TRUE(made.has_value()) << made.error().what;
  return std::move(*made);
}

}  // namespace headroom::daemon
