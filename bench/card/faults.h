// Faults of the card, injected into a worker: each is told apart, ends at most that worker, and the
// next one gives the same text.
#pragma once

#include "log.h"
#include "preload.h"

namespace headroom {

struct FaultOptions {
  std::string worker;
  bool cuda = false;
  asr::LoadRequest load;
};

void InjectFaults(const FaultOptions& options, Preload& preload, Log& log);

}  // namespace headroom
