#include "observe/analyze/timestamps.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <ctime>
#include <string>

#include "base/text.h"
#include "observe/analyze/time_cursor.h"

namespace headroom::analyze {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;

Result<TimeZone> TimeZone::Parse(std::string_view text) {
  if (text == "local" || text.empty()) return Local();
  if (text == "UTC" || text == "Z" || text == "GMT") return Fixed(Milliseconds(0));
  Cursor in{text};
  const auto offset = Offset(in);
  if (!offset || in.at != text.size())
    return Fail(Errc::kInvalid, "\"{}\" is not a time zone; write UTC, +02:00 or local", text);
  return Fixed(*offset);
}

Instant TimeZone::ToInstant(Milliseconds local) const {
  if (!local_) return Instant(local - offset_);
  const std::int64_t hour = std::chrono::floor<hours>(local).count();
  if (hour != cached_hour_) {
    const std::time_t begin = static_cast<std::time_t>(hour * 3600);
    std::tm fields{};
    ::gmtime_r(&begin, &fields);
    fields.tm_isdst = -1;
    cached_ = seconds(begin - ::mktime(&fields));
    cached_hour_ = hour;
  }
  return Instant(local - cached_);
}

Milliseconds TimeZone::ToLocal(Instant at) const {
  if (!local_) return at.time_since_epoch() + offset_;
  const std::time_t when = std::chrono::floor<seconds>(at).time_since_epoch().count();
  std::tm fields{};
  ::localtime_r(&when, &fields);
  return at.time_since_epoch() + seconds(fields.tm_gmtoff);
}

std::string FormatTime(Instant at, const TimeZone& zone, bool exact) {
  const Milliseconds local = zone.ToLocal(at);
  const auto day = std::chrono::floor<days>(local);
  const std::chrono::year_month_day date{std::chrono::sys_days(day)};
  std::string text = fmt::format("{:04}-{:02}-{:02} {}", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()),
                                 static_cast<unsigned>(date.day()), FormatClock(at, zone));
  if (exact) text += fmt::format(".{:03}", (local - std::chrono::floor<seconds>(local)).count());
  return text;
}

std::string FormatClock(Instant at, const TimeZone& zone) {
  const Milliseconds local = zone.ToLocal(at);
  const auto second = std::chrono::floor<seconds>(local - std::chrono::floor<days>(local)).count();
  return fmt::format("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
}

std::string FormatLength(Milliseconds length) {
  if (length.count() < 0) return "-" + FormatLength(-length);
  if (length < seconds(10))
    return fmt::format("{:.3g} s", static_cast<double>(length.count()) / 1000);
  const auto s = std::chrono::round<seconds>(length).count();
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600)
    return s % 60 ? fmt::format("{} min {} s", s / 60, s % 60) : fmt::format("{} min", s / 60);
  if (s < 2 * 86400) return fmt::format("{} h {} min {} s", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{} d {} h", s / 86400, s / 3600 % 24);
}

Result<Milliseconds> ParseLength(std::string_view text) {
  double number = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit =
      Trim(std::string_view(end, static_cast<std::size_t>(text.data() + text.size() - end)));
  const double scale = unit == "s"                    ? 1e3
                       : unit == "m" || unit == "min" ? 60e3
                       : unit == "h"                  ? 3600e3
                       : unit == "d"                  ? 86400e3
                                                      : 0;
  if (err != std::errc() || scale == 0 || !(number >= 0) || number > 1e6)
    return Fail(Errc::kInvalid,
                "\"{}\" is not a length of time; write for example 90s, 15m, 12h or 7d", text);
  return Milliseconds(std::llround(number * scale));
}

}  // namespace headroom::analyze
