// What stands in front of the words of a log line: prefixes of docker, compose, kubectl, CRI and
// syslog, levels, brackets, and a time. Pure. Private to src/observe/analyze.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "observe/analyze/timestamps.h"

namespace headroom::analyze {

/// Views of the line.
struct LineHead {
  std::optional<Instant> at;
  std::optional<double> seconds;      // since boot, or since the program's start
  std::optional<Milliseconds> clock;  // of a day that is not named
  bool zone_named = false;
  bool kernel = false;      // dmesg: the kernel's unless an identifier says otherwise
  bool of_program = false;  // of `seconds`: since the program's start
  bool syslog = false;  // a time without a year, as syslog writes it: host and identifier follow
  std::string_view container;  // of compose and kubectl
  std::string_view rest;
};

LineHead Head(std::string_view line, const TimeZone& zone, std::optional<Instant> reference);

/// The line without terminal colours and a byte order mark; `buffer` holds it where it had some.
std::string_view WithoutColours(std::string_view line, std::string& buffer);

}  // namespace headroom::analyze
