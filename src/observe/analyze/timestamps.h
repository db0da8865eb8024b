// Times as logs write them, to an Instant. Pure but for kLocal, which asks libc's time zone (TZ).
#pragma once

#include <optional>
#include <string_view>

#include "base/error.h"
#include "observe/analyze/evidence.h"

namespace headroom::analyze {

/// The zone of times that name none.
class TimeZone {
 public:
  static TimeZone Local() { return TimeZone(true, Milliseconds(0)); }
  static TimeZone Fixed(Milliseconds east_of_utc) { return TimeZone(false, east_of_utc); }
  /// "UTC", "Z", "+02:00", "-0530", "local".
  static Result<TimeZone> Parse(std::string_view text);

  /// `local`: civil time as if it were UTC.
  Instant ToInstant(Milliseconds local) const;
  /// Civil time as if it were UTC.
  Milliseconds ToLocal(Instant at) const;

 private:
  TimeZone(bool local, Milliseconds offset) : local_(local), offset_(offset) {}
  bool local_;
  Milliseconds offset_;
  mutable std::int64_t cached_hour_ = -1;  // of civil time
  mutable Milliseconds cached_{};
};

struct ParsedTime {
  Instant at;
  bool zone_named = false;
  std::size_t length = 0;  // how much of the text it took
};

/// A time at the beginning of `text`: "2025-10-30T20:20:00.123+01:00", "2025/10/30 20:20:00.123",
/// "2025-10-30 20:20:00,5 UTC", "Thu 2025-10-30 20:20:00 CET" (the zone's letters are taken only
/// for UTC and GMT), "Oct 30 20:20:00" (the latest such time not after `reference` and a day),
/// "20251030 20:20:00", "1761855600.123" and epochs in ms, us and ns.
std::optional<ParsedTime> ParseTime(std::string_view text, const TimeZone& zone,
                                    std::optional<Instant> reference = std::nullopt);

/// "2025-10-30 20:20:00"; with milliseconds where `exact`.
std::string FormatTime(Instant at, const TimeZone& zone, bool exact = false);
/// "20:20:00"
std::string FormatClock(Instant at, const TimeZone& zone);
/// "10 h 54 min 57 s", "4 min 4 s", "0.8 s"; "3 d 4 h" from two days up.
std::string FormatLength(Milliseconds length);
/// "90s", "15m", "12h", "7d"
Result<Milliseconds> ParseLength(std::string_view text);

}  // namespace headroom::analyze
