// `headroom report`, `headroom why` and the program headroom-report: options, reading, writing.
#pragma once

#include <functional>

#include "base/error.h"

namespace CLI {
class App;
}  // namespace CLI

namespace headroom::report {

/// What the user chose; its value is the exit code.
using Action = std::function<Result<int>()>;

/// Exit code when a condition of --fail-on holds.
inline constexpr int kConditionHolds = 9;

/// Adds the options of `report` to `command` and leaves the action in `chosen` when it is called.
void AddReport(CLI::App& command, Action& chosen);
void AddWhy(CLI::App& command, Action& chosen);
void AddBundle(CLI::App& command, Action& chosen);

}  // namespace headroom::report
