// A real scheduler with one worker of the scripted engine (worker/engine_fake.cc), for tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "asr/scheduler/scheduler.h"
#include "asr/scheduler/worker_runner.h"
#include "asr/testing/scripted_tier.h"

namespace headroom::app {

/// The worker decodes `batch` utterances in one run.
inline std::unique_ptr<asr::Scheduler> FakeScheduler(const std::string& script, int batch = 1,
                                                     std::size_t most_waiting = 256) {
  asr::Tier tier = asr::Scripted(script);
  if (batch > 1) {
    tier.plan.kind = memory::DeviceKind::kUnified;
    tier.plan.batch = batch;
    tier.plan.batched = tier.plan.workspace;
  }
  memory::Policy policy;
  policy.timing.cool_down_cpu = Milliseconds(300);
  auto made = asr::Scheduler::Make({.tiers = {std::move(tier)},
                                    .policy = std::move(policy),
                                    .most_waiting = most_waiting,
                                    .give_up = Milliseconds(200)},
                                   {}, std::make_unique<asr::Still>(),
                                   std::make_unique<asr::WorkerRunnerMaker>());
  EXPECT_TRUE(made.has_value()) << made.error().what;
  return std::move(*made);
}

}  // namespace headroom::app
