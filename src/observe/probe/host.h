// Memory and memory pressure of the whole machine: /proc/meminfo and PSI.
// Formats: proc(5); Documentation/accounting/psi.rst of the kernel.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace headroom::probe {

struct Swap {
  Bytes total;
  Bytes free;  // never more than total
  Bytes used() const { return total - free; }
};

struct HostMemory {
  Bytes total;
  Bytes available;  // MemAvailable: what can be had without swapping; never more than total
  Bytes free;
  std::optional<Swap> swap;  // absent: the kernel has no swap support
};

/// nullopt without a believable MemTotal, MemFree and MemAvailable.
std::optional<HostMemory> ParseMeminfo(std::string_view text);

/// One line of a pressure file: the share of time in which tasks waited for memory.
struct Stall {
  double avg10 = 0, avg60 = 0, avg300 = 0;  // percent, 0 to 100
  std::chrono::microseconds total{0};       // since boot or since the cgroup was made
};

struct Pressure {
  Stall some;  // at least one task waited
  Stall full;  // all tasks waited; zero where the file has no such line
};

/// /proc/pressure/memory or a cgroup's memory.pressure. nullopt without a whole "some" line.
std::optional<Pressure> ParsePressure(std::string_view text);

}  // namespace headroom::probe
