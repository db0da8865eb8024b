// Foreign evidence in: the format is recognised from the beginning, the bytes are fed in pieces of
// any size, and what they say goes into an Evidence. Nothing is loaded whole but a Prometheus
// answer (at most 256 MiB). Readers never fail on what they read: they count and note.
// Formats and columns: docs/report.md.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "observe/analyze/evidence.h"
#include "observe/analyze/pack.h"
#include "observe/analyze/timestamps.h"

namespace headroom::analyze {

enum class Format {
  kUnknown,
  kJournalJson,    // journalctl -o json
  kJournalExport,  // journalctl -o export
  kLines,          // journalctl -o short…, syslog, dmesg, a program's own log
  kCsv,            // any table; nvidia-smi --query-gpu and --query-compute-apps
  kMon,            // nvidia-smi dmon and pmon
  kStatus,         // systemctl status
  kPrometheus,     // the answer of /api/v1/query_range
  kPasted,         // what a terminal showed: nvidia-smi, rocm-smi, free, vmstat, kubectl top, …
};
std::string_view Name(Format format);

/// One column of a table by hand: "ram=my_column:MB", with "@owner" behind the metric:
/// "vram_used@game=game_mem:MiB".
struct Mapping {
  Metric metric{};
  std::string owner, column;
  double scale = 1;
};
Result<Mapping> ParseMapping(std::string_view text);

struct ReadOptions {
  Packs* packs = nullptr;  // nullptr: lines mean nothing
  TimeZone zone = TimeZone::Local();
  std::optional<Instant> reference;  // for dates without a year: about when the file was written
  std::optional<Instant> start;      // for tables whose time begins at zero
  std::optional<Instant> boot;       // for lines with seconds since boot
  std::string unit;                  // only this one's lines, and the machine's; empty: all
  std::optional<Instant> from, to;   // outside: not kept
  std::vector<Mapping> mappings;
};

class Parser {
 public:
  virtual ~Parser() = default;
  virtual void Feed(std::string_view bytes) = 0;
  virtual void End() = 0;
};

Format Sniff(std::string_view beginning);
/// `source`: an index of `evidence`'s. Both and `options` outlive the parser.
std::unique_ptr<Parser> MakeParser(Format format, const ReadOptions& options, std::uint32_t source,
                                   Evidence& evidence);

/// Reads a descriptor to its end; gzip, zstd, xz and UTF-16 are seen through. The format is guessed
/// where `format` is kUnknown.
Result<> ReadEvidence(int fd, const std::string& name, Format format, const ReadOptions& options,
                      Evidence& evidence);
/// "-" is standard input. The file's time is the reference where the options have none.
Result<> ReadEvidence(const std::filesystem::path& path, const ReadOptions& options,
                      Evidence& evidence);

}  // namespace headroom::analyze
