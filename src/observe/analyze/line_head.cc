#include "observe/analyze/line_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "observe/analyze/time_cursor.h"

namespace headroom::analyze {
namespace {

constexpr std::size_t kReach = 80;  // a time may begin so far into a line

bool IsWord(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
         c == '.';
}

void Skip(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

bool IsLevel(std::string_view word) {
  constexpr std::array<std::string_view, 22> kLevels = {
      "INFO",   "ERROR", "WARN", "WARNING", "DEBUG", "FATAL",  "CRITICAL", "TRACE",
      "NOTICE", "E",     "I",    "W",       "info",  "warn",   "error",    "debug",
      "ERR",    "WRN",   "INF",  "SEVERE",  "Error", "Warning"};
  return std::find(kLevels.begin(), kLevels.end(), word) != kLevels.end();
}

// "<11>" of syslog's wire format.
void Priority(std::string_view& line) {
  if (!line.starts_with("<")) return;
  const std::size_t close = line.find('>');
  if (close == std::string_view::npos || close < 2 || close > 4) return;
  if (!std::all_of(line.begin() + 1, line.begin() + static_cast<std::ptrdiff_t>(close), IsDigit))
    return;
  line.remove_prefix(close + 1);
  // RFC 5424 has a version next: "<11>1 2026-…".
  if (line.size() > 2 && line[0] == '1' && line[1] == ' ') line.remove_prefix(2);
}

// "api-1     | words" of compose, "[pod/infer-0/main] words" of kubectl logs --prefix.
std::string_view Container(std::string_view& line) {
  if (line.starts_with("[pod/")) {
    const std::size_t close = line.find("] ");
    if (close == std::string_view::npos) return {};
    std::string_view name = line.substr(5, close - 5);
    line.remove_prefix(close + 2);
    if (const std::size_t slash = name.find('/'); slash != std::string_view::npos)
      name = name.substr(slash + 1) == "main" ? name.substr(0, slash) : name.substr(slash + 1);
    return name;
  }
  std::size_t end = 0;
  while (end < line.size() && end < 64 && IsWord(line[end])) ++end;
  if (end == 0 || end >= line.size()) return {};
  std::size_t bar = end;
  while (bar < line.size() && bar < 80 && line[bar] == ' ') ++bar;
  if (bar == end || bar + 1 >= line.size() || line[bar] != '|' || line[bar + 1] != ' ') return {};
  if (IsDigit(line[0]) || IsLevel(line.substr(0, end)))
    return {};  // a column of a table or a level
  const std::string_view name = line.substr(0, end);
  line.remove_prefix(bar + 2);
  return name;
}

// "12345.678901" or "1234.5 <    0.1 >"
std::optional<double> Seconds(std::string_view text) {
  text = Trim(text);
  double value = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (err != std::errc() || !(value >= 0) || value > 4e9) return std::nullopt;
  const std::string_view rest = Trim(text.substr(static_cast<std::size_t>(end - text.data())));
  if (!rest.empty() && rest[0] != '<') return std::nullopt;
  if (text.find('.') == std::string_view::npos) return std::nullopt;  // "[33]" is a process
  return value;
}

// "10:00:05", "10:00:05.123", nothing behind it.
std::optional<Milliseconds> Clock(std::string_view text) {
  const TimeZone utc = TimeZone::Fixed(Milliseconds(0));
  if (text.size() < 8 || !IsDigit(text[0]) || text[2] != ':' || text[5] != ':') return std::nullopt;
  const auto parsed = ParseTime("1970-01-02 " + std::string(text.substr(0, 15)), utc);
  if (!parsed) return std::nullopt;
  return parsed->at.time_since_epoch() - std::chrono::hours(24);
}

// llama-server's "M.SS.mmm.uuu": minutes, seconds, milliseconds, microseconds since its start.
std::optional<double> SinceStart(std::string_view line, std::size_t& length) {
  std::array<int, 4> parts{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t begin = at;
    while (at < line.size() && at - begin < 6 && IsDigit(line[at]))
      parts[i] = parts[i] * 10 + (line[at++] - '0');
    const std::size_t digits = at - begin;
    if (digits == 0 || (i == 1 && digits != 2) || (i > 1 && digits != 3)) return std::nullopt;
    if (i == 3) break;
    if (at >= line.size() || line[at] != '.') return std::nullopt;
    ++at;
  }
  if (at >= line.size() || line[at] != ' ') return std::nullopt;
  length = at;
  return parts[0] * 60 + parts[1] + parts[2] / 1e3 + parts[3] / 1e6;
}

// A level, a bracket that is closed, or key=value in front of a time: how long it is, or 0.
std::size_t Decoration(std::string_view text) {
  if (text.empty()) return 0;
  for (const auto& [open, close] : {std::pair{'[', ']'}, std::pair{'(', ')'}}) {
    if (text[0] != open) continue;
    const std::size_t end = text.find(close);
    return end > kReach ? 0 : end + 1;  // npos, too
  }
  std::size_t end = 0;
  while (end < text.size() && IsWord(text[end])) ++end;
  if (end == 0) return std::string_view("-|:,").find(text[0]) == std::string_view::npos ? 0 : 1;
  if (end < text.size() && text[end] == '=') {  // key=value
    const std::size_t space = text.find(' ', end);
    return space == std::string_view::npos ? 0 : space;
  }
  return IsLevel(text.substr(0, end)) ? end : 0;
}

// logfmt: "time=2026-…", 'ts="2026-…"'
std::size_t TimeKey(std::string_view text) {
  for (const std::string_view key : {"time=", "ts=", "timestamp=", "t="}) {
    if (!text.starts_with(key)) continue;
    return key.size() + (text.size() > key.size() && text[key.size()] == '"' ? 1 : 0);
  }
  return 0;
}

void Found(LineHead& head, const ParsedTime& time) {
  head.at = time.at;
  head.zone_named = time.zone_named;
}

// "CET", "EEST", "PDT": letters that are a zone's and no word of a log.
bool IsZone(std::string_view word) {
  constexpr std::array<std::string_view, 8> kWords = {"GET",  "POST", "SET",  "LIST",
                                                      "TEST", "LAST", "BEST", "HOST"};
  if (word == "MSK" || word == "WIB" || word == "HKT") return true;
  return word.size() >= 3 && word.size() <= 4 &&
         (word.ends_with("ST") || word.ends_with("DT") || word.ends_with("ET")) &&
         word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string_view::npos &&
         std::find(kWords.begin(), kWords.end(), word) == kWords.end();
}

// What may stand between a time and the words: a bracket's end, a zone, the stream's name of CRI.
void Behind(std::string_view& text, bool zone_named) {
  if (!text.empty() && std::string_view("]),\"").find(text[0]) != std::string_view::npos)
    text.remove_prefix(1);
  Skip(text);
  if (!zone_named && IsZone(text.substr(0, text.find(' ')))) {
    text.remove_prefix(std::min(text.find(' '), text.size()));
    Skip(text);
  }
  for (const std::string_view stream : {"stderr F ", "stdout F ", "stderr P ", "stdout P "})
    if (text.starts_with(stream)) text.remove_prefix(stream.size());
}

bool AtBeginning(std::string_view line, const TimeZone& zone, std::optional<Instant> reference,
                 LineHead& head) {
  std::size_t length = 0;
  if (line.starts_with("[")) {
    const std::size_t close = line.find(']');
    if (close > 48) return false;  // npos, too
    const std::string_view inside = Trim(line.substr(1, close - 1));
    const std::string_view rest = line.substr(close + 1);
    if (const auto seconds = Seconds(inside)) {
      if (*seconds > 9e8) {  // since 1970
        head.at = Instant(Milliseconds(std::llround(*seconds * 1000)));
        head.zone_named = true;
      } else {
        head.seconds = seconds;
        head.kernel = true;
      }
    } else if (const auto clock = Clock(inside); clock && inside.size() <= 15) {
      head.clock = clock;
    } else if (const auto time = ParseTime(inside, zone, reference)) {
      if (time->length == inside.size() && time->length < 11)
        return false;  // "[1234567890]": an id
      Found(head, *time);
      // dmesg -T: "[Thu Oct 30 20:20:00 2025] "
      head.kernel = inside.size() > 4 && !IsDigit(inside[0]) && inside[3] == ' ';
    } else {
      return false;
    }
    head.rest = rest;
    Skip(head.rest);
    return true;
  }
  if (const auto seconds = SinceStart(line, length)) {
    head.seconds = seconds;
    head.of_program = true;
    head.rest = line.substr(length);
    Skip(head.rest);
    return true;
  }
  if (const auto time = ParseTime(line, zone, reference)) {
    // A long number alone is a time only as journalctl -o short-unix and programs write it.
    Found(head, *time);
    head.syslog = !IsDigit(line[0]) && !time->zone_named;
    head.rest = line.substr(time->length);
    Behind(head.rest, time->zone_named);
    return true;
  }
  if (const auto clock = Clock(line)) {
    head.clock = clock;
    head.rest = line.substr(8);
    head.rest.remove_prefix(
        std::min(head.rest.find_first_not_of(".,0123456789"), head.rest.size()));
    Behind(head.rest, false);
    return true;
  }
  return false;
}

}  // namespace

LineHead Head(std::string_view line, const TimeZone& zone, std::optional<Instant> reference) {
  LineHead head;
  Priority(line);
  head.container = Container(line);
  head.rest = line;
  if (AtBeginning(line, zone, reference, head)) return head;
  // Behind levels, brackets and keys.
  std::string_view text = line;
  std::size_t at = 0;
  while (at < std::min(line.size(), kReach)) {
    text = line.substr(at);
    if (const std::size_t key = TimeKey(text)) {
      if (const auto time = ParseTime(text.substr(key), zone, reference)) {
        Found(head, *time);
        head.rest = line;  // the other keys stay words
        return head;
      }
    }
    if (at > 0) {
      std::size_t inside = text[0] == '[' ? 1 : 0;
      const auto time = ParseTime(text.substr(inside), zone, reference);
      // In the middle of a line a bare number is no time.
      if (time && text.substr(inside, time->length).find(':') != std::string_view::npos) {
        Found(head, *time);
        head.rest = text.substr(inside + time->length);
        Behind(head.rest, time->zone_named);
        return head;
      }
    }
    const std::size_t length = Decoration(text);
    if (length == 0) break;
    at += length;
    while (at < line.size() && (line[at] == ' ' || line[at] == '\t')) ++at;
  }
  return head;
}

std::string_view WithoutColours(std::string_view line, std::string& buffer) {
  if (line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
  if (line.find('\x1b') == std::string_view::npos) return line;
  buffer.clear();
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b' && i + 1 < line.size() && line[i + 1] == '[') {
      i += 2;
      while (i < line.size() && !(line[i] >= '@' && line[i] <= '~')) ++i;
      continue;
    }
    buffer += line[i];
  }
  return buffer;
}

}  // namespace headroom::analyze
