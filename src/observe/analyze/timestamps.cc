#include "observe/analyze/timestamps.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <span>
#include <string>

#include "base/text.h"

namespace headroom::analyze {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Months as journald and syslog write them elsewhere, in lower case. Longer names come first where
// one begins with another.
struct MonthName {
  std::string_view name;
  int month;
};
constexpr std::array<MonthName, 66> kForeignMonths = {{
    {"jan.", 1}, {"januar", 1}, {"janv.", 1}, {"janv", 1},  {"jan", 1},   {"ene.", 1},
    {"ene", 1},  {"gen", 1},    {"sty", 1},   {"янв", 1},   {"ocak", 1},  {"febr.", 2},
    {"feb.", 2}, {"févr.", 2},  {"févr", 2},  {"fév", 2},   {"fev", 2},   {"feb", 2},
    {"lut", 2},  {"фев", 2},    {"märz", 3},  {"mär", 3},   {"mrz", 3},   {"mrt", 3},
    {"mars", 3}, {"maart", 3},  {"mar", 3},   {"мар", 3},   {"avril", 4}, {"avr.", 4},
    {"avr", 4},  {"abr", 4},    {"apr", 4},   {"kwi", 4},   {"апр", 4},   {"maj", 5},
    {"mei", 5},  {"mai", 5},    {"mag", 5},   {"may", 5},   {"мая", 5},   {"май", 5},
    {"juni", 6}, {"juin", 6},   {"jun", 6},   {"giu", 6},   {"июн", 6},   {"juil.", 7},
    {"juil", 7}, {"juli", 7},   {"jul", 7},   {"lug", 7},   {"июл", 7},   {"août", 8},
    {"aug", 8},  {"ago", 8},    {"авг", 8},   {"sept.", 9}, {"sept", 9},  {"sep", 9},
    {"set", 9},  {"сен", 9},    {"okt", 10},  {"oct", 10},  {"out", 10},  {"ott", 10},
}};
constexpr std::array<MonthName, 8> kLateMonths = {{
    {"окт", 10},
    {"nov", 11},
    {"ноя", 11},
    {"lis", 11},
    {"dez", 12},
    {"dec", 12},
    {"dic", 12},
    {"déc", 12},
}};

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Takes the text apart from the left; every Take leaves it untouched when it does not fit.
struct Cursor {
  std::string_view text;
  std::size_t at = 0;

  char peek(std::size_t ahead = 0) const { return at + ahead < text.size() ? text[at + ahead] : 0; }
  bool Take(char c) {
    if (peek() != c) return false;
    ++at;
    return true;
  }
  bool TakeAny(std::string_view of) {
    if (peek() == 0 || of.find(peek()) == std::string_view::npos) return false;
    ++at;
    return true;
  }
  std::optional<int> Number(std::size_t least, std::size_t most) {
    std::size_t count = 0;
    int value = 0;
    while (count < most && IsDigit(peek(count))) value = value * 10 + (peek(count++) - '0');
    if (count < least) return std::nullopt;
    at += count;
    return value;
  }
  std::optional<int> Month() {
    const std::string_view rest = text.substr(std::min(at, text.size()));
    const auto found = std::find(kMonths.begin(), kMonths.end(), rest.substr(0, 3));
    if (found != kMonths.end()) {
      at += 3;
      return static_cast<int>(found - kMonths.begin()) + 1;
    }
    std::string lower(rest.substr(0, 12));
    for (char& c : lower)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const auto named = [&](std::span<const MonthName> names) -> std::optional<int> {
      for (const auto& [name, month] : names) {
        if (!lower.starts_with(name)) continue;
        at += name.size();
        Take('.');
        return month;
      }
      return std::nullopt;
    };
    if (const auto month = named(kForeignMonths)) return month;
    return named(kLateMonths);
  }
};

std::optional<Milliseconds> Date(int year, int month, int day) {
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || year < 1970 || year > 2200) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch();
}

std::optional<Milliseconds> ClockTime(Cursor& in) {
  const auto hour = in.Number(1, 2);
  if (!hour || !in.Take(':')) return std::nullopt;
  const auto minute = in.Number(2, 2);
  if (!minute) return std::nullopt;
  int second = 0;
  double fraction = 0;
  if (in.Take(':')) {
    const auto value = in.Number(2, 2);
    if (!value) return std::nullopt;
    second = *value;
    if ((in.peek() == '.' || in.peek() == ',') && IsDigit(in.peek(1))) {
      ++in.at;
      double scale = 100;
      while (IsDigit(in.peek())) fraction += scale * (in.peek() - '0'), scale /= 10, ++in.at;
    }
  }
  int of_day = *hour;
  for (const auto& [name, add] : {std::pair{" AM", 0}, std::pair{" PM", 12}}) {
    if (!in.text.substr(std::min(in.at, in.text.size())).starts_with(name)) continue;
    if (*hour < 1 || *hour > 12) return std::nullopt;
    of_day = *hour % 12 + add;
    in.at += 3;
    break;
  }
  if (of_day > 24 || *minute > 59 || second > 60) return std::nullopt;
  return hours(of_day) + minutes(*minute) + seconds(second) +
         Milliseconds(static_cast<int>(fraction));
}

std::optional<Milliseconds> Offset(Cursor& in) {
  if (in.peek() != '+' && in.peek() != '-') return std::nullopt;
  Cursor ahead = in;
  const int sign = ahead.peek() == '+' ? 1 : -1;
  ++ahead.at;
  const auto hour = ahead.Number(2, 2);
  if (!hour) return std::nullopt;
  ahead.Take(':');
  const auto minute = ahead.Number(2, 2);
  if (*hour > 14 || minute.value_or(0) > 59) return std::nullopt;
  in = ahead;
  return sign * Milliseconds(hours(*hour) + minutes(minute.value_or(0)));
}

// A zone behind the clock time, if there is one that says something.
std::optional<Milliseconds> NamedZone(Cursor& in) {
  Cursor ahead = in;
  if (ahead.Take('Z')) {
    in = ahead;
    return Milliseconds(0);
  }
  ahead.Take(' ');
  for (const std::string_view name : {"UTC", "GMT"}) {
    if (!ahead.text.substr(ahead.at).starts_with(name)) continue;
    ahead.at += name.size();
    in = ahead;
    return Milliseconds(0);
  }
  if (const auto offset = Offset(ahead)) {
    in = ahead;
    return offset;
  }
  return std::nullopt;
}

std::optional<ParsedTime> Epoch(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && IsDigit(text[digits])) ++digits;
  if (digits < 9 || digits > 19) return std::nullopt;
  std::uint64_t whole = 0;
  std::from_chars(text.data(), text.data() + digits, whole);
  std::size_t length = digits;
  std::uint64_t divisor = 1;
  std::int64_t ms = 0;
  if (digits <= 11) {
    ms = static_cast<std::int64_t>(whole) * 1000;
    if (length < text.size() && text[length] == '.') {
      ++length;
      int scale = 100;
      while (length < text.size() && IsDigit(text[length])) {
        ms += scale * (text[length] - '0');
        scale /= 10;
        ++length;
      }
    }
  } else {
    divisor = digits <= 14 ? 1 : digits <= 17 ? 1'000 : 1'000'000;
    ms = static_cast<std::int64_t>(whole / divisor);
    while (length < text.size() && (IsDigit(text[length]) || text[length] == '.')) ++length;
  }
  if (length < text.size() && (text[length] == '-' || text[length] == '/' || text[length] == ':'))
    return std::nullopt;
  return ParsedTime{Instant(Milliseconds(ms)), true, length};
}

}  // namespace

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

std::optional<ParsedTime> ParseTime(std::string_view text, const TimeZone& zone,
                                    std::optional<Instant> reference) {
  if (const auto epoch = Epoch(text)) return epoch;
  Cursor in{text};
  // "Thu " in front
  if (text.size() > 4 && text[3] == ' ' && !IsDigit(text[0]) &&
      (IsDigit(text[4]) || text[4] != ' ')) {
    Cursor ahead = in;
    ahead.at = 4;
    if (!in.Month())
      in = ahead;
    else
      in.at = 0;
  }
  std::optional<Milliseconds> date, clock;
  bool year_known = true;
  int month = 0, day = 0;
  const auto yearless = [&](int of_month, int of_day) {
    month = of_month, day = of_day;
    year_known = false;
    clock = ClockTime(in);
  };
  if (IsDigit(in.peek())) {
    const Cursor begin = in;
    if (const auto whole = in.Number(4, 4)) {
      const bool dense = !in.TakeAny("-/.");
      const auto m = in.Number(dense ? 2 : 1, 2);
      if (!m || (!dense && !in.TakeAny("-/."))) return std::nullopt;
      const auto d = in.Number(dense ? 2 : 1, 2);
      if (!d || !(date = Date(*whole, *m, *d)) || !in.TakeAny("T _")) return std::nullopt;
      while (in.Take(' ')) {
      }
      if (in.Take('-')) in.Take(' ');  // "2025/02/11 - 13:02:10"
      clock = ClockTime(in);
    } else {
      in = begin;
      const auto first = in.Number(1, 2);
      if (!first) return std::nullopt;
      if (in.text.substr(in.at).starts_with("月")) {  // "11月 20 10:00:05"
        in.at += std::string_view("月").size();
        in.Take(' ');
        const auto d = in.Number(1, 2);
        if (!d || *first > 12) return std::nullopt;
        if (in.text.substr(in.at).starts_with("日")) in.at += std::string_view("日").size();
        if (!in.Take(' ')) return std::nullopt;
        yearless(*first, *d);
      } else if (in.Take('/')) {
        if (const auto named = in.Month()) {  // "20/Nov/2026:10:00:05"
          if (!in.Take('/')) return std::nullopt;
          const auto year = in.Number(4, 4);
          if (!year || !(date = Date(*year, *named, *first)) || !in.TakeAny(": "))
            return std::nullopt;
        } else {  // "11/20/2026 10:00:05 AM"
          const auto d = in.Number(1, 2);
          if (!d || !in.Take('/')) return std::nullopt;
          const auto year = in.Number(4, 4);
          if (!year || !in.TakeAny(" ,")) return std::nullopt;
          const bool day_first = *first > 12;
          if (!(date = day_first ? Date(*year, *d, *first) : Date(*year, *first, *d)))
            return std::nullopt;
        }
        in.Take(' ');
        clock = ClockTime(in);
      } else if (in.TakeAny("-.")) {  // "11-20 10:00:05", "20.11.2026 10:00:05"
        const bool dots = in.text[in.at - 1] == '.';
        const auto d = in.Number(1, 2);
        if (!d) return std::nullopt;
        if (dots) {
          if (!in.Take('.')) return std::nullopt;
          const auto year = in.Number(4, 4);
          if (!year || !(date = Date(*year, *d, *first))) return std::nullopt;
          in.Take(',');
          if (!in.Take(' ')) return std::nullopt;
          clock = ClockTime(in);
        } else {
          if (*first < 1 || *first > 12 || !in.TakeAny(" T")) return std::nullopt;
          yearless(*first, *d);
        }
      } else {
        const auto named = in.Take(' ') ? in.Month() : std::nullopt;  // "20 Nov 2026 10:00:05"
        if (!named || !in.Take(' ')) return std::nullopt;
        const auto year = in.Number(4, 4);
        if (!year || !(date = Date(*year, *named, *first)) || !in.TakeAny(" ,"))
          return std::nullopt;
        in.Take(' ');
        clock = ClockTime(in);
      }
    }
  } else if (in.peek() >= 'A' && in.peek() <= 'Z' && IsDigit(in.peek(1)) && IsDigit(in.peek(4)) &&
             in.peek(5) == ' ') {  // glog: "E1120 10:00:05.000000"
    if (std::string_view("IWEFD").find(in.peek()) == std::string_view::npos) return std::nullopt;
    ++in.at;
    const auto m = in.Number(2, 2);
    const auto d = in.Number(2, 2);
    if (!m || !d || *m < 1 || *m > 12 || !in.Take(' ')) return std::nullopt;
    yearless(*m, *d);
  } else if (const auto named = in.Month()) {
    while (in.Take(' ')) {
    }
    const auto d = in.Number(1, 2);
    if (!d) return std::nullopt;
    in.Take('.');
    if (!in.Take(' ')) return std::nullopt;
    month = *named, day = *d;
    Cursor ahead = in;
    if (const auto year = ahead.Number(4, 4); year && ahead.Take(' ')) {  // "Nov 20 2026 10:00:05"
      in = ahead;
      date = Date(*year, month, day);
      clock = ClockTime(in);
    } else {
      clock = ClockTime(in);
      ahead = in;  // "Thu Oct 30 20:20:00 2025", "Thu Oct 30 20:20:00 UTC 2025"
      std::optional<Milliseconds> zone_of_year;
      if (ahead.text.substr(std::min(ahead.at, ahead.text.size())).starts_with(" UTC 2") ||
          ahead.text.substr(std::min(ahead.at, ahead.text.size())).starts_with(" GMT 2")) {
        ahead.at += 4;
        zone_of_year = Milliseconds(0);
      } else {  // Letters of another zone: the time is taken as of the zone of the options
        Cursor letters = ahead;
        letters.Take(' ');
        std::size_t count = 0;
        while (letters.peek() >= 'A' && letters.peek() <= 'Z') ++letters.at, ++count;
        if (count >= 3 && count <= 5 && letters.peek() == ' ' && letters.peek(1) == '2')
          ahead = letters;
      }
      if (ahead.Take(' ')) {
        if (const auto of = ahead.Number(4, 4);
            of && !IsDigit(ahead.peek()) && ahead.peek() != '-') {
          date = Date(*of, month, day);
          in = ahead;
          if (date && clock && zone_of_year)
            return ParsedTime{Instant(*date + *clock), true, in.at};
        }
      }
    }
    year_known = date.has_value();
  }
  if (!clock) return std::nullopt;
  if (!year_known) {
    if (!reference) return std::nullopt;
    const auto latest = *reference + days(1);
    const auto today = std::chrono::floor<days>(std::chrono::sys_time<Milliseconds>(latest));
    const int this_year = static_cast<int>(std::chrono::year_month_day(today).year());
    for (int year = this_year; year > this_year - 5; --year) {  // 29 February needs up to four
      const auto tried = Date(year, month, day);
      if (tried && zone.ToInstant(*tried + *clock) <= latest) {
        date = tried;
        break;
      }
    }
  }
  if (!date) return std::nullopt;
  ParsedTime parsed;
  if (const auto offset = NamedZone(in)) {
    parsed.at = Instant(*date + *clock - *offset);
    parsed.zone_named = true;
  } else {
    parsed.at = zone.ToInstant(*date + *clock);
  }
  parsed.length = in.at;
  return parsed;
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
