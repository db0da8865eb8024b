// A real scheduler with one worker of the scripted engine (worker/engine_fake.cc), for tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "asr/scheduler/switchboard.h"
#include "asr/scheduler/worker_runner.h"
#include "asr/testing/scripted_tier.h"

namespace headroom::app {

/// Its events go to `board`, which is not begun yet. The worker takes `batch` utterances at once.
inline std::unique_ptr<asr::Scheduler> FakeScheduler(const std::string& script, Switchboard& board,
                                                     int batch = 1) {
  asr::Tier tier = asr::Scripted(script);
  if (batch > 1) {
    tier.plan.kind = memory::DeviceKind::kUnified;
    tier.plan.batch = batch;
    tier.plan.batched = tier.plan.workspace;
  }
  asr::SchedulerEvents to;
  to.on_decoded = [&board](asr::Decoded one) { board.OnDecoded(std::move(one)); };
  to.on_speculated = [&board](asr::Speculated one) { board.OnSpeculated(std::move(one)); };
  memory::Policy policy;
  policy.timing.cool_down_cpu = Milliseconds(300);
  auto made = asr::Scheduler::Make(
      {.tiers = {std::move(tier)}, .policy = std::move(policy), .give_up = Milliseconds(200)},
      std::move(to), std::make_unique<asr::Still>(), std::make_unique<asr::WorkerRunnerMaker>());
  EXPECT_TRUE(made.has_value()) << made.error().what;
  return std::move(*made);
}

}  // namespace headroom::app
