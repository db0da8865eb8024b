// A neighbour takes the card until 5 % of the room are left, and gives it back, while somebody
// speaks all the time: through the real scheduler and governor.
#pragma once

#include "asr/planner/gpu.h"
#include "log.h"
#include "neighbour.h"

namespace headroom {

struct PushOptions {
  planner::Gpu gpu;  // calibrated; its total is the room
  std::filesystem::path model;
  std::vector<Milliseconds> chunks;
  Bytes real_total;  // of the card
  probe::DeviceProbeOptions probe;
  /// Makes so much free of the card, `ours` being what our worker has.
  std::function<Result<>(Bytes free, Bytes ours)> leave;
};

void Push(const PushOptions& options, Log& log);

}  // namespace headroom
