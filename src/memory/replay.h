// A trace put through the governor. Pure.
//
// A trace cannot obey: it shows what the service held that was running then. So zones are those of
// the recorded numbers, while the governor sees others' recorded use and its own plan for what it
// has decided on. The first row's own use is taken as the model that was loaded then.
#pragma once

#include <array>
#include <vector>

#include "memory/governor.h"
#include "memory/trace.h"

namespace headroom::memory {

struct ReplayEvent {
  Milliseconds at{};
  Action action;
  std::string target;  // of kLoad, kEndWorker, …: the tier in words; else empty
};

struct Replay {
  std::string start;  // what was loaded, and whether it would have been admitted
  std::vector<ReplayEvent> events;
  /// [gauge][zone]; a row's zone lasts as long as the row holds; unknown stretches count nowhere.
  std::array<std::array<Milliseconds, 4>, kGauges> time{};
  Milliseconds length{};
  std::size_t steps = 0;
};

/// `gpu` is the size where the trace has none.
Result<Replay> ReplayTrace(const Trace& trace, const Policy& policy,
                           std::optional<Bytes> gpu = std::nullopt);

/// What a replay uses without tiers: canary-1b-flash Q8_0 (measured), canary-180m-flash
/// Q8_0 (estimated) and whisper-base on the CPU (measured); driver overhead of 240 MiB is assumed.
std::vector<Plan> ExampleTiers();

}  // namespace headroom::memory
