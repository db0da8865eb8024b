// What the parsers of single formats share. Private to src/analyze.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "observe/analyze/pasted.h"
#include "observe/analyze/reader.h"

namespace headroom::analyze {

/// Cuts the bytes into lines without their end. A line beyond kLongest is counted and skipped.
class LineParser : public Parser {
 public:
  static constexpr std::size_t kLongest = 1 << 20;
  LineParser(const ReadOptions& options, std::uint32_t source, Evidence& evidence)
      : options_(options), source_(source), evidence_(evidence) {}
  void Feed(std::string_view bytes) final;
  void End() final;

 protected:
  virtual void Line(std::string_view line) = 0;
  virtual void AtEnd() {}

  /// False for what lies outside --from and --to.
  bool Inside(Instant at) const {
    return !(options_.from && at < *options_.from) && !(options_.to && at > *options_.to);
  }
  void Sample(Metric metric, std::string_view device, std::string_view owner, Instant at,
              double value);
  void Bad(std::string_view why) { evidence_.Bad(source_, number_, why); }
  Source& source() { return evidence_.source(source_); }

  const ReadOptions& options_;
  const std::uint32_t source_;
  Evidence& evidence_;
  std::uint32_t number_ = 0;  // of the line, from 1

 private:
  void Whole(std::string_view line);
  std::string part_;  // of a line whose end has not come
  bool too_long_ = false;
};

/// A log entry of whatever format, taken apart.
struct Entry {
  std::optional<Instant> at;
  std::string_view message, unit, about, identifier;  // `about`: the unit systemd speaks of
  bool kernel = false;
  std::optional<std::uint64_t> identity;  // of a journal's cursor
};

/// What entries of logs mean, by the packs: events and samples into the evidence.
class Interpreter {
 public:
  Interpreter(const ReadOptions& options, std::uint32_t source, Evidence& evidence)
      : options_(options), source_(source), evidence_(evidence) {}
  void Take(const Entry& entry, std::uint32_t line);
  /// A journal's two clocks: a difference that grows means sleep or a set clock.
  void Clocks(Instant wall, Milliseconds monotonic, std::uint64_t boot, std::uint32_t line);

 private:
  bool Inside(Instant at) const {
    return !(options_.from && at < *options_.from) && !(options_.to && at > *options_.to);
  }

  bool SaidBefore(const EventType& type, const std::string& unit, Instant at, bool restates);

  const ReadOptions& options_;
  const std::uint32_t source_;
  Evidence& evidence_;
  std::optional<Milliseconds> offset_;
  std::uint64_t boot_ = 0;
  std::uint32_t last_type_ = 0;
  bool last_was_event_ = false;
  struct Kill {
    Instant at;
    std::string name;  // of the pattern
  };
  struct Failure {
    Family family{};
    Instant last;
    std::vector<std::string> words;  // fingerprints of the lines that said it
  };
  std::optional<Kill> kill_;
  std::map<std::string, Failure> failures_;  // by unit
};

/// FNV-1a, for identities only.
std::uint64_t Hash(std::string_view text);

std::unique_ptr<Parser> MakeJournalJson(const ReadOptions&, std::uint32_t, Evidence&);
std::unique_ptr<Parser> MakeJournalExport(const ReadOptions&, std::uint32_t, Evidence&);
std::unique_ptr<Parser> MakeLines(const ReadOptions&, std::uint32_t, Evidence&);
std::unique_ptr<Parser> MakeCsv(const ReadOptions&, std::uint32_t, Evidence&);
std::unique_ptr<Parser> MakeMon(const ReadOptions&, std::uint32_t, Evidence&);
std::unique_ptr<Parser> MakeStatus(const ReadOptions&, std::uint32_t, Evidence&);
std::unique_ptr<Parser> MakePasted(Look, const ReadOptions&, std::uint32_t, Evidence&);
std::unique_ptr<Parser> MakePrometheus(const ReadOptions&, std::uint32_t, Evidence&);

}  // namespace headroom::analyze
