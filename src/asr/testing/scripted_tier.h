// For tests: what a scheduler needs to run workers of the scripted engine (worker/engine_fake.cc).
#pragma once

#include <cstdint>
#include <string>

#include "asr/scheduler/readings.h"
#include "asr/scheduler/tier.h"
#include "memory/testing/governor_fixture.h"

namespace headroom::asr {

/// A machine with room, on which nothing changes.
class Still : public Readings {
 public:
  memory::Sample Take(std::span<const pid_t>, bool, MonoTime) override {
    memory::Sample sample;
    sample.ram = memory::Megabytes(100);
    sample.ram_available = GiB(8);
    return sample;
  }
};

/// `script` says what its worker does, `mib` what its weights take.
inline Tier Scripted(const std::string& script, std::int64_t mib = 300) {
  Tier tier;
  tier.plan = memory::MakePlan(script.c_str(), memory::DeviceKind::kCpu, mib, 10, 0);
  tier.model = script;
  tier.worker = "headroom-worker-fake";
  tier.threads = 1;
  return tier;
}

}  // namespace headroom::asr
