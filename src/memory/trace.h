// A trace of samples as CSV text, for replaying a night with other thresholds. Pure; fuzzed.
//
// The first line that is not empty or a comment (#) names the columns, in any order: time_s
// (needed, seconds), vram_used_mib, vram_total_mib, vram_others_mib, vram_ours_mib (MiB), rss_mb,
// swap_mb, ram_available_mb, host_total_mb, memory_high_mb (10^6 bytes), psi_some, psi_full
// (percent; psi is psi_full), wanted, decoding, yielded (0 or 1), decode_left_ms, event (suspend,
// resume, oom, sticky, lost, hang, crash). An empty cell is unknown. No quoting: no value needs a
// comma.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "memory/governor.h"

namespace headroom::memory {

struct TraceRow {
  std::size_t line = 0;                    // of the text, from 1
  Milliseconds at{};                       // since the trace's zero; never before the row before
  std::optional<Milliseconds> holds = {};  // unknown afterwards; nullopt: until the next row
  Sample sample;
};

struct Trace {
  std::vector<TraceRow> rows;
  std::vector<std::string> unknown_columns;
  std::size_t bad_rows = 0;
  std::vector<std::string> bad;  // the first few: "line 7: vram_used_mib: \"x\" is not a number"
  bool has_wanted = false, has_others = false, has_ours = false;
};

/// Bad rows are skipped and named. kInvalid: no header, no time_s, a column twice, a line beyond
/// 4096 bytes, more than `most_rows`.
Result<Trace> ParseTrace(std::string_view text, std::size_t most_rows = 2'000'000);

}  // namespace headroom::memory
