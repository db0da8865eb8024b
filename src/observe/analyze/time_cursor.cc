#include "observe/analyze/time_cursor.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>

namespace headroom::analyze {
namespace {

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
constexpr std::array<MonthName, 74> kForeignMonths = {{
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
    {"окт", 10}, {"nov", 11},   {"ноя", 11},  {"lis", 11},  {"dez", 12},  {"dec", 12},
    {"dic", 12}, {"déc", 12},
}};

}  // namespace

std::optional<int> Cursor::Month() {
  const std::string_view rest = text.substr(std::min(at, text.size()));
  const auto found = std::find(kMonths.begin(), kMonths.end(), rest.substr(0, 3));
  if (found != kMonths.end()) {
    at += 3;
    return static_cast<int>(found - kMonths.begin()) + 1;
  }
  std::string lower(rest.substr(0, 12));
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  for (const auto& [name, month] : kForeignMonths) {
    if (!lower.starts_with(name)) continue;
    at += name.size();
    Take('.');
    return month;
  }
  return std::nullopt;
}

std::optional<Milliseconds> CivilDate(int year, int month, int day) {
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

}  // namespace headroom::analyze
