// What happens to a simulated card, and when: a neighbour that takes and gives back memory, and
// faults. docs/gpu.md describes the text form.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace headroom::worker {

struct GpuEvent {
  enum class When {
    kAllocation,  // the Nth allocation since the simulated card was made
    kCompute,     // the Nth graph computed since the simulated card was made
    kRun,         // the first graph of the Nth run after the model was ready
    kAfter,       // the first allocation or graph N milliseconds after the model was ready
  };
  enum class What {
    kNeighbour,  // holds `amount` bytes from now on, or as much of them as is free
    kFail,       // the allocation fails
    kError,      // the device reports error `amount` (2, 700, 719 or 999): the process aborts
    kHang,       // the computation never ends
    kDie,        // the process is killed
    kSlow,       // every graph from now on takes `amount` milliseconds more
  };
  When when = When::kCompute;
  std::int64_t at = 0;  // N, from 1; milliseconds for kAfter
  What what = What::kNeighbour;
  std::int64_t amount = 0;
};

/// kInvalid names the statement that makes no sense.
Result<std::vector<GpuEvent>> ParseCardScript(std::string_view text);

/// The driver's words for an error number; "" for a number the simulated card cannot report.
std::string_view DeviceErrorText(std::int64_t code);

}  // namespace headroom::worker
