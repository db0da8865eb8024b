// journalctl -o short, short-precise, short-iso, short-full, short-unix, short-monotonic; syslog
// files; dmesg with and without -T; a program's own log; and what docker, compose, kubectl and CRI
// put in front of one. Where the words of a line begin is in line_head.h.
#include <fmt/format.h>

#include <deque>

#include "base/text.h"
#include "observe/analyze/line_head.h"
#include "observe/analyze/parser.h"

namespace headroom::analyze {
namespace {

constexpr std::size_t kMostWaiting = 20'000;  // of lines without a known time that mean something

class LogLines : public LineParser {
 public:
  LogLines(const ReadOptions& options, std::uint32_t source, Evidence& evidence)
      : LineParser(options, source, evidence), interpreter_(options, source, evidence) {}

 private:
  struct Waiting {
    std::optional<double> seconds;  // since a zero that is not known
    std::string message, identifier;
    bool kernel = false;
    std::uint32_t line = 0;
  };

  void Line(std::string_view line) override {
    if (line.starts_with("-- ")) return;  // journalctl's "-- Boot …", "-- Logs begin …"
    line = WithoutColours(line, plain_);
    line = line.substr(0, line.find_last_not_of(" \t") + 1);
    if (line.empty()) return;
    LineHead head = Head(line, options_.zone, options_.reference);
    Entry entry;
    entry.identifier = head.container;
    if (head.at) {
      entry.at = head.at;
      if (!head.zone_named) source().zone_assumed = true;
    } else if (head.seconds) {
      const Milliseconds since(static_cast<std::int64_t>(*head.seconds * 1000));
      if (options_.boot)
        entry.at = *options_.boot + since;
      else if (options_.start && head.of_program)
        entry.at = *options_.start + since;
      else if (evidence_.boot_offset && !head.of_program)
        entry.at = Instant(*evidence_.boot_offset + since);
    } else if (head.clock && options_.reference) {
      entry.at = OfDay(*head.clock);
      source().zone_assumed = true;
      evidence_.Note(source_,
                     "its lines name no day; the last day before the file's time is taken");
    }
    entry.message = head.rest;
    Tagged(head, entry);
    if (head.kernel) {
      if (entry.identifier.empty()) entry.identifier = "kernel";
      entry.kernel = entry.identifier == "kernel";
    }
    const bool timed = entry.at || head.seconds;
    if (!timed) {  // a continuation, such as a traceback
      entry.at = last_;
      if (entry.identifier.empty()) entry.identifier = last_identifier_;
    }
    if (!entry.at) {
      Wait(head.seconds, entry);
      return;
    }
    last_ = entry.at;
    last_identifier_ = entry.identifier;
    interpreter_.Take(entry, number_);
  }

  // Facts whose time is not known wait for the end, where the file's own time is the best guess.
  void Wait(std::optional<double> seconds, const Entry& entry) {
    if (entry.kernel) source().kernel = true;
    if (seconds) last_seconds_ = seconds;
    if (!options_.packs || !options_.packs->Match(entry.message)) return;
    ++source().timeless;
    if (waiting_.size() >= kMostWaiting) return;
    waiting_.push_back({seconds, std::string(entry.message), std::string(entry.identifier),
                        entry.kernel, number_});
  }

  void AtEnd() override {
    if (waiting_.empty()) return;
    const std::optional<Instant> first = source().first;
    const Instant end = first && !last_seconds_ ? *first : options_.reference.value_or(Instant());
    evidence_.Note(
        source_,
        last_seconds_
            ? fmt::format(
                  "line {}: its times count from a start that is not known; they are placed "
                  "so that the last line is as old as the file. {} says when it was",
                  waiting_.front().line, waiting_.front().kernel ? "--boot" : "--start")
            : fmt::format("line {}: says something, but not when; it is shown as of {}",
                          waiting_.front().line,
                          first ? "the first time in it" : "the file's time"));
    double seconds = 0;
    for (const Waiting& line : waiting_) {
      if (line.seconds) seconds = *line.seconds;
      Entry entry;
      entry.at =
          last_seconds_
              ? end - Milliseconds(static_cast<std::int64_t>((*last_seconds_ - seconds) * 1000))
              : end;
      entry.message = line.message;
      entry.identifier = line.identifier;
      entry.kernel = line.kernel;
      interpreter_.Take(entry, line.line);
    }
  }

  Instant OfDay(Milliseconds clock) {
    using std::chrono::hours;
    const Milliseconds local = options_.zone.ToLocal(*options_.reference);
    Milliseconds at = std::chrono::floor<std::chrono::days>(local) + clock;
    if (at > local + hours(1)) at -= hours(24);
    return options_.zone.ToInstant(at);
  }

  // "host identifier[123]: message". A host is learnt from lines that name a process or the kernel;
  // two words and a colon are no host and identifier by themselves ("CUDA error: …").
  void Tagged(const LineHead& head, Entry& entry) {
    const std::string_view rest = entry.message;
    const std::size_t host = rest.find(' ');
    if (host > 64) return;  // npos, too
    const std::string_view name = rest.substr(0, host);
    if (name.find_first_of(":[](){}=\"',") != std::string_view::npos) return;
    const std::string_view after = rest.substr(host + 1);
    const std::size_t colon = after.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon > 64) return;
    if (colon + 1 < after.size() && after[colon + 1] != ' ') return;
    std::string_view tag = after.substr(0, colon);
    const std::size_t bracket = tag.find('[');
    const bool numbered = bracket != std::string_view::npos && tag.ends_with("]") &&
                          tag.size() > bracket + 2 && tag[bracket + 1] >= '0' &&
                          tag[bracket + 1] <= '9';
    if (bracket != std::string_view::npos && !numbered) return;
    if (numbered) tag = tag.substr(0, bracket);
    if (tag.find(' ') != std::string_view::npos) return;
    if (numbered || tag == "kernel" || tag == "systemd")
      host_ = name;
    else if (name != host_ && !head.syslog)
      return;
    entry.identifier = tag;
    entry.kernel = tag == "kernel";
    entry.message = Trim(after.substr(colon + 1));
  }

  Interpreter interpreter_;
  std::optional<Instant> last_;
  std::string last_identifier_, host_, plain_;
  std::deque<Waiting> waiting_;
  std::optional<double> last_seconds_;
};

}  // namespace

std::unique_ptr<Parser> MakeLines(const ReadOptions& options, std::uint32_t source,
                                  Evidence& evidence) {
  return std::make_unique<LogLines>(options, source, evidence);
}

}  // namespace headroom::analyze
