// What people paste from a terminal: which tool it is of, the time of its readings, and what to say
// about what cannot be read.
#include "observe/analyze/pasted.h"

#include <charconv>

#include "base/text.h"
#include "observe/analyze/columns.h"
#include "observe/analyze/pasted_parser.h"

namespace headroom::analyze {
namespace {

// smaps of one moment: only the hint.
class Unread : public PastedParser {
 public:
  using PastedParser::PastedParser;

 private:
  void Row(std::string_view) override {}
};

std::string Hint(Look look) {
  switch (look) {
    case Look::kSmaps:
      return "looks like smaps or smaps_rollup of one moment, without a time; record a CSV: "
             "while sleep 10; do echo $(date -Is),$(awk '/^Pss:/{print $2}' "
             "/proc/PID/smaps_rollup); done, with the header time,pss_kib";
    case Look::kExporter:
      return "looks like an exporter's text of one moment; ask Prometheus for a range: "
             "/api/v1/query_range";
    case Look::kPs:
      return "looks like ps; record a CSV: while sleep 10; do echo $(date -Is),$(ps -o rss= -p "
             "PID); done, with the header time,rss_kib";
    case Look::kVmstat:
      return "looks like vmstat; record with vmstat -t";
    default:
      return "no reading of it could be used; a table with times can: docs/report.md";
  }
}

bool Has(std::string_view text, std::string_view words) {
  return text.find(words) != std::string_view::npos;
}

}  // namespace

Words WordsOf(std::string_view line) {
  Words words;
  while (true) {
    const std::size_t start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos) return words;
    const std::size_t end = line.find_first_of(" \t", start);
    words.push_back(line.substr(start, end == std::string_view::npos ? end : end - start));
    if (end == std::string_view::npos) return words;
    line.remove_prefix(end);
  }
}

std::optional<double> NumberOf(std::string_view text) {
  double value = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (err != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> SizeOf(std::string_view text) {
  const std::size_t unit = text.find_first_not_of("0123456789.");
  if (unit == 0 || unit == std::string_view::npos) return std::nullopt;
  const auto number = NumberOf(text.substr(0, unit));
  const auto scale = UnitScale(text.substr(unit));
  if (!number || !scale) return std::nullopt;
  return *number * *scale;
}

std::string_view FileOf(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos || slash + 1 == path.size() ? path
                                                                     : path.substr(slash + 1);
}

void PastedParser::Line(std::string_view line) {
  const std::string_view text = Trim(line);
  if (text.empty() || Date(text)) return;
  indented_ = text.front() != line.front();
  Row(text);
}

void PastedParser::AtEnd() {
  if (look_ == Look::kSmaps || source().samples == 0) evidence_.Note(source_, Hint(look_));
}

bool PastedParser::Date(std::string_view text) {
  if (text.starts_with("Timestamp")) {
    const std::size_t colon = text.find(": ");
    if (colon == std::string_view::npos) return false;
    text = Trim(text.substr(colon + 2));
  }
  const auto time = ParseTime(text, options_.zone, options_.reference);
  if (!time || time->length < 10) return false;
  if (time->length < text.size() && text.size() - time->length > 6) return false;
  if (text.find(':') == std::string_view::npos) return false;
  at_ = time->at;
  dated_ = true;
  if (!time->zone_named) source().zone_assumed = true;
  return true;
}

void PastedParser::Add(Metric metric, std::string_view device, std::string_view owner,
                       double value) {
  if (!at_) {
    at_ = options_.reference;
    if (!at_) {
      evidence_.Note(source_, "says no time, and the file has none; see docs/report.md");
      return;
    }
  }
  if (!dated_) evidence_.Note(source_, "its readings are taken as of the file's time");
  Sample(metric, device, owner, *at_, value);
}

Look LookOf(std::string_view text) {
  if (Has(text, "| NVIDIA-SMI ")) return Look::kSmiTable;
  if (Has(text, "NVSMI LOG")) return Look::kSmiQuery;
  if (Has(text, "ROCm System Management") || Has(text, "GPU[0]\t") ||
      (Has(text, "GPU[0] ") && Has(text, "VRAM Total")))
    return Look::kRocmSmi;
  if (Has(text, " total ") && Has(text, " used ") && Has(text, "\nMem:")) return Look::kFree;
  if (Has(text, "--memory--") && Has(text, " swpd ")) return Look::kVmstat;
  if (Has(text, "kbmemfree")) return Look::kSar;
  if (Has(text, "Pss_Anon:") || (Has(text, "\nRss:") && Has(text, "\nPss:"))) return Look::kSmaps;
  if (text.starts_with("# HELP ") || text.starts_with("# TYPE ")) return Look::kExporter;
  if (Has(text, "MEM USAGE / LIMIT")) return Look::kDockerStats;
  if (Has(text, "CPU(cores)") || Has(text, "kubectl top")) return Look::kKubectlTop;
  if (Has(text, "PID %CPU %MEM") ||
      (Has(text, " PID ") && Has(text, " RSS ") && Has(text, "COMMAND")))
    return Look::kPs;
  return Look::kNothing;
}

std::unique_ptr<Parser> MakePasted(Look look, const ReadOptions& options, std::uint32_t source,
                                   Evidence& evidence) {
  for (const auto make : {MakePastedGpu, MakePastedHost, MakePastedContainer})
    if (auto parser = make(look, options, source, evidence)) return parser;
  return std::make_unique<Unread>(look, options, source, evidence);
}

}  // namespace headroom::analyze
