// Lengths of time as a person writes them: "800ms", "1.5s", "5min", "24h".
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace headroom {

/// A number and a unit: ms, s, min, h or d; spaces between them are allowed, a bare "0" too. Not
/// negative, not beyond ten years. A fraction of a millisecond is rounded.
Result<Milliseconds> ParseDuration(std::string_view text);

/// The shortest way to write it with a whole number: "800ms", "90s", "5min", "24h"; "0s".
std::string FormatDuration(Milliseconds duration);

}  // namespace headroom
