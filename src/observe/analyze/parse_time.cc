// ParseTime: which way of writing a time a text begins with.
#include <algorithm>
#include <charconv>

#include "observe/analyze/time_cursor.h"
#include "observe/analyze/timestamps.h"

namespace headroom::analyze {
namespace {

using std::chrono::days;

std::optional<ParsedTime> Epoch(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && IsDigit(text[digits])) ++digits;
  if (digits < 9 || digits > 19) return std::nullopt;
  std::uint64_t whole = 0;
  const std::string_view number = text.substr(0, digits);
  std::from_chars(number.data(), number.data() + number.size(), whole);
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

// A time that is no epoch. Each step takes its part from the left and says whether the text fits.
struct Written {
  Cursor in;
  std::optional<Milliseconds> date, clock;
  int month = 0, day = 0;  // of a time without a year, which has no date yet
  bool utc = false;        // said in front of the year

  bool Take() {
    SkipWeekday();
    if (IsDigit(in.peek())) {
      if (const auto year = in.Number(4, 4)) return YearFirst(*year);
      const auto first = in.Number(1, 2);
      return first && DayOrMonthFirst(*first);
    }
    if (std::string_view("IWEFD").find(in.peek()) != std::string_view::npos &&
        IsDigit(in.peek(1)) && IsDigit(in.peek(4)) && in.peek(5) == ' ')
      return Glog();
    const auto name = in.Month();
    return name && NameFirst(*name);
  }

 private:
  bool Clock() {
    clock = ClockTime(in);
    return clock.has_value();
  }
  bool Yearless(int of_month, int of_day) {
    month = of_month, day = of_day;
    return Clock();
  }
  bool On(int year, int of_month, int of_day) {
    date = CivilDate(year, of_month, of_day);
    return date.has_value();
  }
  bool Rest(std::string_view text) const {
    return in.text.substr(std::min(in.at, in.text.size())).starts_with(text);
  }
  bool TakeText(std::string_view text) {
    if (!Rest(text)) return false;
    in.at += text.size();
    return true;
  }
  void SkipBlanks() {
    while (in.Take(' ')) {
    }
  }

  // "Thu "
  void SkipWeekday() {
    if (in.text.size() <= 4 || in.text[3] != ' ' || IsDigit(in.text[0]) || in.text[4] == ' ')
      return;
    in.at = in.Month() ? 0 : 4;
  }

  // "2025-10-30T20:20:00", "20251030 20:20:00", "2025/02/11 - 13:02:10"
  bool YearFirst(int year) {
    const bool dense = !in.TakeAny("-/.");
    const std::size_t digits = dense ? 2 : 1;
    const auto m = in.Number(digits, 2);
    if (!m || (!dense && !in.TakeAny("-/."))) return false;
    const auto d = in.Number(digits, 2);
    if (!d || !On(year, *m, *d) || !in.TakeAny("T _")) return false;
    SkipBlanks();
    if (in.Take('-')) in.Take(' ');
    return Clock();
  }

  bool DayOrMonthFirst(int first) {
    if (TakeText("月")) return Chinese(first);
    if (in.Take('/')) return Slashes(first);
    if (in.Take('.')) return Dots(first);
    if (in.Take('-')) {  // "11-20 10:00:05"
      const auto d = in.Number(1, 2);
      return d && first >= 1 && first <= 12 && in.TakeAny(" T") && Yearless(first, *d);
    }
    if (!in.Take(' ')) return false;  // "20 Nov 2026 10:00:05"
    const auto name = in.Month();
    if (!name || !in.Take(' ')) return false;
    const auto year = in.Number(4, 4);
    if (!year || !On(*year, *name, first) || !in.TakeAny(" ,")) return false;
    in.Take(' ');
    return Clock();
  }

  // "11月 20 10:00:05"
  bool Chinese(int of_month) {
    in.Take(' ');
    const auto d = in.Number(1, 2);
    if (!d || of_month > 12) return false;
    TakeText("日");
    return in.Take(' ') && Yearless(of_month, *d);
  }

  // "20/Nov/2026:10:00:05", "11/20/2026 10:00:05 AM"
  bool Slashes(int first) {
    if (const auto name = in.Month()) {
      if (!in.Take('/')) return false;
      const auto year = in.Number(4, 4);
      if (!year || !On(*year, *name, first) || !in.TakeAny(": ")) return false;
    } else {
      const auto second = in.Number(1, 2);
      if (!second || !in.Take('/')) return false;
      const auto year = in.Number(4, 4);
      if (!year || !in.TakeAny(" ,")) return false;
      if (!(first > 12 ? On(*year, *second, first) : On(*year, first, *second))) return false;
    }
    in.Take(' ');
    return Clock();
  }

  // "20.11.2026 10:00:05"
  bool Dots(int of_day) {
    const auto m = in.Number(1, 2);
    if (!m || !in.Take('.')) return false;
    const auto year = in.Number(4, 4);
    if (!year || !On(*year, *m, of_day)) return false;
    in.Take(',');
    return in.Take(' ') && Clock();
  }

  // "E1120 10:00:05.000000"
  bool Glog() {
    ++in.at;
    const auto m = in.Number(2, 2);
    const auto d = in.Number(2, 2);
    return m && d && *m >= 1 && *m <= 12 && in.Take(' ') && Yearless(*m, *d);
  }

  // "Nov 20 10:00:05", "Nov 20 2026 10:00:05", "Oct 30 20:20:00 2025", "Oct 30 20:20:00 UTC 2025"
  bool NameFirst(int of_month) {
    SkipBlanks();
    const auto d = in.Number(1, 2);
    if (!d) return false;
    in.Take('.');
    if (!in.Take(' ')) return false;
    const Cursor begin = in;
    if (const auto year = in.Number(4, 4); year && in.Take(' ')) {
      On(*year, of_month, *d);
      return Yearless(of_month, *d);
    }
    in = begin;
    if (!Yearless(of_month, *d)) return false;
    TakeYearBehind();
    return true;
  }

  void TakeYearBehind() {
    const Cursor begin = in;
    const bool named = Rest(" UTC 2") || Rest(" GMT 2");
    if (named) {
      in.at += 4;
    } else {  // Letters of another zone: the time is taken as of the zone of the options
      in.Take(' ');
      std::size_t count = 0;
      while (in.peek() >= 'A' && in.peek() <= 'Z') ++in.at, ++count;
      if (count < 3 || count > 5 || in.peek() != ' ' || in.peek(1) != '2') in = begin;
    }
    const auto year = in.Take(' ') ? in.Number(4, 4) : std::nullopt;
    if (!year || IsDigit(in.peek()) || in.peek() == '-') {
      in = begin;
      return;
    }
    utc = On(*year, month, day) && named;
  }
};

// The latest such day at which the time is not after `reference` and a day.
std::optional<Milliseconds> LatestDay(const Written& written, const TimeZone& zone,
                                      Instant reference) {
  const Instant latest = reference + days(1);
  const int this_year =
      static_cast<int>(std::chrono::year_month_day(std::chrono::floor<days>(latest)).year());
  for (int year = this_year; year > this_year - 5; --year) {  // 29 February needs up to four
    const auto date = CivilDate(year, written.month, written.day);
    if (date && zone.ToInstant(*date + *written.clock) <= latest) return date;
  }
  return std::nullopt;
}

}  // namespace

std::optional<ParsedTime> ParseTime(std::string_view text, const TimeZone& zone,
                                    std::optional<Instant> reference) {
  if (const auto epoch = Epoch(text)) return epoch;
  Written written;
  written.in.text = text;
  if (!written.Take()) return std::nullopt;
  if (!written.date && reference) written.date = LatestDay(written, zone, *reference);
  if (!written.date) return std::nullopt;
  const Milliseconds local = *written.date + *written.clock;
  if (written.utc) return ParsedTime{Instant(local), true, written.in.at};
  if (const auto offset = NamedZone(written.in))
    return ParsedTime{Instant(local - *offset), true, written.in.at};
  return ParsedTime{zone.ToInstant(local), false, written.in.at};
}

}  // namespace headroom::analyze
