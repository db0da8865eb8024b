// journalctl -o short, short-precise, short-iso, short-full, short-unix, short-monotonic; syslog
// files; dmesg with and without -T; and a program's own log, when its lines begin with a time.
#include <charconv>

#include "base/text.h"
#include "observe/analyze/parser.h"

namespace headroom::analyze {
namespace {

// "[12345.678901] " in front, or "[Thu Oct 30 20:20:00 2025] "
std::optional<std::string_view> Bracketed(std::string_view& line) {
  if (!line.starts_with("[")) return std::nullopt;
  const std::size_t close = line.find(']');
  if (close == std::string_view::npos || close > 40) return std::nullopt;
  const std::string_view inside = Trim(line.substr(1, close - 1));
  line.remove_prefix(close + 1);
  return inside;
}

std::optional<double> Seconds(std::string_view text) {
  double value = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (err != std::errc() || end != text.data() + text.size() || !(value >= 0) || value > 4e9)
    return std::nullopt;
  return value;
}

class LogLines : public LineParser {
 public:
  LogLines(const ReadOptions& options, std::uint32_t source, Evidence& evidence)
      : LineParser(options, source, evidence), interpreter_(options, source, evidence) {}

 private:
  void Line(std::string_view line) override {
    if (line.starts_with("-- ")) return;  // journalctl's "-- Boot …", "-- Logs begin …"
    line = line.substr(0, line.find_last_not_of(" \t") + 1);
    if (line.empty()) return;
    Entry entry;
    if (const auto bracket = Bracketed(line)) {
      Bracket(*bracket, entry);
      while (line.starts_with(" ")) line.remove_prefix(1);
      // dmesg has the message next; short-monotonic a host and an identifier first.
      if (!Tagged(line, entry))
        entry.kernel = true, entry.identifier = "kernel", entry.message = line;
    } else if (const auto time = ParseTime(line, options_.zone, options_.reference)) {
      entry.at = time->at;
      if (!time->zone_named) source().zone_assumed = true;
      line.remove_prefix(time->length);
      // Letters of a zone that is not UTC: "CET".
      std::string_view rest = Trim(line);
      const std::size_t word = rest.find(' ');
      if (word != std::string_view::npos && word >= 3 && word <= 5 &&
          rest.substr(0, word).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
              std::string_view::npos &&
          !Level(rest.substr(0, word)))
        rest.remove_prefix(word + 1);
      if (!Tagged(rest, entry)) entry.message = rest;
    } else {
      entry.at = last_;  // a continuation, such as a traceback
      entry.message = line;
    }
    if (entry.at) last_ = entry.at;
    interpreter_.Take(entry, number_);
  }

  static bool Level(std::string_view word) {
    return word == "INFO" || word == "ERROR" || word == "WARN" || word == "DEBUG" ||
           word == "FATAL";
  }

  void Bracket(std::string_view inside, Entry& entry) {
    if (const auto seconds = Seconds(inside)) {
      const Milliseconds since(static_cast<std::int64_t>(*seconds * 1000));
      if (options_.boot)
        entry.at = *options_.boot + since;
      else if (evidence_.boot_offset)
        entry.at = Instant(*evidence_.boot_offset + since);
    } else if (const auto time = ParseTime(inside, options_.zone, options_.reference)) {
      entry.at = time->at;
      if (!time->zone_named) source().zone_assumed = true;
    }
  }

  // "host identifier[123]: message"
  static bool Tagged(std::string_view rest, Entry& entry) {
    const std::size_t host = rest.find(' ');
    if (host == std::string_view::npos) return false;
    const std::string_view after = rest.substr(host + 1);
    const std::size_t colon = after.find(": ");
    if (colon == std::string_view::npos || colon == 0 || colon > 64) return false;
    std::string_view tag = after.substr(0, colon);
    if (const std::size_t bracket = tag.find('['); bracket != std::string_view::npos)
      tag = tag.substr(0, bracket);
    if (tag.find(' ') != std::string_view::npos || tag.empty()) return false;
    entry.identifier = tag;
    entry.kernel = tag == "kernel";
    entry.message = after.substr(colon + 2);
    return true;
  }

  Interpreter interpreter_;
  std::optional<Instant> last_;
};

}  // namespace

std::unique_ptr<Parser> MakeLines(const ReadOptions& options, std::uint32_t source,
                                  Evidence& evidence) {
  return std::make_unique<LogLines>(options, source, evidence);
}

}  // namespace headroom::analyze
