// The pieces of a time in a text: month names, dates, clock times, offsets. Private to
// src/observe/analyze.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace headroom::analyze {

inline bool IsDigit(char c) {
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
  /// A month's name in English or as journald and syslog write it elsewhere.
  std::optional<int> Month();
};

/// Civil time as if it were UTC; nullopt for what no calendar has.
std::optional<Milliseconds> CivilDate(int year, int month, int day);
/// "9:05", "20:20:00.123", "08:20:00 PM"
std::optional<Milliseconds> ClockTime(Cursor& in);
/// "+02:00", "-0530", "+01"
std::optional<Milliseconds> Offset(Cursor& in);
/// "Z", " UTC", " GMT" or an offset behind the clock time.
std::optional<Milliseconds> NamedZone(Cursor& in);

}  // namespace headroom::analyze
