// What the parsers of pasted text share: a line that is a date (`date` in a loop) says when the
// readings below it were; without one it is the file's time. Private to src/observe/analyze.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "observe/analyze/parser.h"

namespace headroom::analyze {

using Words = std::vector<std::string_view>;
/// The words between blanks and tabs.
Words WordsOf(std::string_view line);
/// The whole text as a number.
std::optional<double> NumberOf(std::string_view text);
/// "23344MiB", "145Mi", "1.944GiB", "512kB" in bytes; nullopt without a unit.
std::optional<double> SizeOf(std::string_view text);
/// The file's name of a path.
std::string_view FileOf(std::string_view path);

class PastedParser : public LineParser {
 public:
  PastedParser(Look look, const ReadOptions& options, std::uint32_t source, Evidence& evidence)
      : LineParser(options, source, evidence), look_(look) {}

 protected:
  /// `line` without blanks around it; neither empty nor a date.
  virtual void Row(std::string_view line) = 0;
  /// Takes "Tue Apr 26 15:29:49 2022", also behind "Timestamp   : ", for what follows.
  bool Date(std::string_view text);
  void Add(Metric metric, std::string_view device, std::string_view owner, double value);

  std::optional<Instant> at_;  // of the readings that follow
  bool indented_ = false;      // the row began with a blank

 private:
  void Line(std::string_view line) final;
  void AtEnd() final;

  const Look look_;
  bool dated_ = false;
};

/// Each nullptr for a look of the others.
std::unique_ptr<Parser> MakePastedGpu(Look, const ReadOptions&, std::uint32_t, Evidence&);
std::unique_ptr<Parser> MakePastedHost(Look, const ReadOptions&, std::uint32_t, Evidence&);
std::unique_ptr<Parser> MakePastedContainer(Look, const ReadOptions&, std::uint32_t, Evidence&);

}  // namespace headroom::analyze
