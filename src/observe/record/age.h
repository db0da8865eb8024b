// What age does to a flight record: rows are thinned out, then deleted.
//
// Thinning keeps real rows, no averages: of each interval the first, and those where a number that
// matters was highest and lowest, so peaks keep their value and their time; and every row at which
// a zone, tier or state changed.
#pragma once

#include <span>
#include <vector>

#include "base/sqlite/database.h"
#include "observe/record/record.h"

namespace headroom::record {

/// A row as thinning sees it.
struct AgingRow {
  std::int64_t mono_ms = 0;
  std::int64_t part = 0;            // GPU or process; 0 for tables without
  std::optional<double> high, low;  // its highest and its lowest are kept
  std::int64_t state = 0;           // a change is kept
  bool gone = false;                // kept
};

/// Which of `rows` stay (ordered by time) with intervals of `every`. Pure.
std::vector<bool> Stay(std::span<const AgingRow> rows, Milliseconds every);

struct AgeOptions {
  Milliseconds whole_for{}, minutes_for{}, keep_for{};
};

/// Thins out and deletes what is old at `now`; several transactions, each short. The run that is
/// going on is judged by the monotonic clock, earlier ones by the wall clock at their end.
Result<> AgeRecord(sql::Database& database, const AgeOptions& options, Moment now,
                   std::int64_t current_run);

}  // namespace headroom::record
