// What the machine still knows about a unit that was not recorded: its journal, the kernel's,
// systemd's account of it, and the GPUs as they are now.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "observe/analyze/reader.h"

namespace headroom::report {

/// Runs journalctl, systemctl and nvidia-smi; what is not there or fails is a line of the result.
std::vector<std::string> Collect(const std::string& unit, std::optional<analyze::Instant> from,
                                 std::optional<analyze::Instant> to,
                                 const analyze::ReadOptions& options, analyze::Evidence& evidence);

}  // namespace headroom::report
