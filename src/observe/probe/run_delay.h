// How long a process was ready to run but had no CPU.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace headroom::probe {

/// The second number of /proc/<pid>/task/<tid>/schedstat, in ns: time on a run queue, waiting.
/// Documentation/scheduler/sched-stats.rst of the kernel.
std::optional<std::chrono::nanoseconds> ParseRunDelay(std::string_view text);

/// Of all its threads that live, together; zero where the kernel does not say. Under a millisecond.
Milliseconds RunDelay(pid_t pid, const std::filesystem::path& root = "/");

}  // namespace headroom::probe
