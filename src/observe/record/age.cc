#include "observe/record/age.h"

#include <array>
#include <map>

#include "observe/record/store.h"

namespace headroom::record {
namespace {

struct Table {
  const char* name;
  const char* part;   // of the key
  const char* high;   // the number whose highest row stays
  const char* low;    // and whose lowest
  const char* state;  // an expression whose change stays
  const char* gone;
};

constexpr std::array<Table, 4> kTables = {{
    {"host_sample", "0", "max(coalesce(swap_used, 0), 1e7 * coalesce(psi_full, 0))", "available",
     "0", "0"},
    {"service_sample", "0", "ram", "room",
     "coalesce(zone_vram, 4) + 5 * coalesce(zone_ram, 4) + 25 * coalesce(zone_swap, 4) + "
     "125 * coalesce(zone_pressure, 4) + 625 * coalesce(zone_card, 4) + "
     "3125 * (length(tier) + unicode(tier || ' ')) + 100000000 * coalesce(oom_kills, 0)",
     "0"},
    {"card_sample", "card", "used", "used", "unicode(state || ' ') * 1000 + length(state)",
     "state IS NULL"},
    {"process_sample", "process", "max(coalesce(counted, 0), coalesce(card, 0))", "counted", "0",
     "coalesce(rss, counted, pss, swap, card) IS NULL"},
}};

constexpr std::int64_t kSlice = 3'600'000;  // ms of the record in one transaction

Result<> ThinTable(sql::Database& database, const Table& table, std::int64_t run,
                   std::int64_t from_ms, std::int64_t to_ms, Milliseconds every) {
  std::vector<AgingRow> rows;
  {
    TRY_ASSIGN(sql::Statement select,
               database.Prepare(fmt::format(
                   "SELECT mono_ms, {}, {}, {}, {}, {} FROM {} WHERE run = "
                   "? AND mono_ms >= ? AND mono_ms < ? ORDER BY mono_ms",
                   table.part, table.high, table.low, table.state, table.gone, table.name)));
    select.Bind(1, run).Bind(2, from_ms).Bind(3, to_ms);
    while (true) {
      TRY_ASSIGN(const bool row, select.Step());
      if (!row) break;
      rows.push_back({select.Integer(0), select.Integer(1), select.MaybeReal(2),
                      select.MaybeReal(3), select.Integer(4), select.Integer(5) != 0});
    }
  }
  const std::vector<bool> stay = Stay(rows, every);
  const bool by_part = std::string_view(table.part) != "0";
  TRY_ASSIGN(
      sql::Statement remove,
      database.Prepare(fmt::format("DELETE FROM {} WHERE run = ? AND mono_ms = ?{}", table.name,
                                   by_part ? fmt::format(" AND {} = ?", table.part) : "")));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (stay[i]) continue;
    remove.Bind(1, run).Bind(2, rows[i].mono_ms);
    if (by_part) remove.Bind(3, rows[i].part);
    TRY(remove.Run());
  }
  return {};
}

// All of `run` from `from_ms` to `to_ms`, an hour at a time; `column` of the run remembers how far.
Result<> ThinRun(sql::Database& database, std::int64_t run, const char* column,
                 std::int64_t from_ms, std::int64_t to_ms, Milliseconds every) {
  for (std::int64_t at = from_ms; at < to_ms;) {
    const std::int64_t end = std::min(to_ms, (at / kSlice + 1) * kSlice);
    TRY_ASSIGN(sql::Transaction transaction, sql::Transaction::Begin(database));
    for (const Table& table : kTables) TRY(ThinTable(database, table, run, at, end, every));
    // Heartbeats are fewer now, and a reader must not take that for a gap.
    TRY(
        database.Run(fmt::format("UPDATE host_sample SET due_ms = max(due_ms, {}) WHERE run = {} "
                                 "AND mono_ms >= {} AND mono_ms < {}",
                                 2 * every.count(), run, at, end)));
    TRY(database.Run(fmt::format("UPDATE run SET {} = {} WHERE id = {}", column, end, run)));
    TRY(transaction.Commit());
    at = end;
  }
  return {};
}

Result<> DeleteRun(sql::Database& database, std::int64_t run, std::int64_t before_ms) {
  TRY_ASSIGN(sql::Transaction transaction, sql::Transaction::Begin(database));
  for (const char* table :
       {"host_sample", "service_sample", "card_sample", "process_sample", "event"})
    TRY(database.Run(
        fmt::format("DELETE FROM {} WHERE run = {} AND mono_ms < {}", table, run, before_ms)));
  return transaction.Commit();
}

}  // namespace

std::vector<bool> Stay(std::span<const AgingRow> rows, Milliseconds every) {
  std::vector<bool> stay(rows.size(), false);
  struct Interval {
    std::int64_t number = -1;
    std::optional<std::size_t> highest, lowest;
  };
  struct Part {
    Interval interval;
    std::optional<std::size_t> before;
  };
  std::map<std::int64_t, Part> parts;
  const auto close = [&](const Interval& interval) {
    if (interval.highest) stay[*interval.highest] = true;
    if (interval.lowest) stay[*interval.lowest] = true;
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const AgingRow& row = rows[i];
    Part& part = parts[row.part];
    Interval& interval = part.interval;
    const std::int64_t number = row.mono_ms / every.count();
    if (number != interval.number) {
      close(interval);
      interval = Interval{number, {}, {}};
      stay[i] = true;
    }
    if (row.high && (!interval.highest || *row.high > *rows[*interval.highest].high))
      interval.highest = i;
    if (row.low && (!interval.lowest || *row.low < *rows[*interval.lowest].low))
      interval.lowest = i;
    if (row.gone ||
        (part.before && (rows[*part.before].state != row.state || rows[*part.before].gone)))
      stay[i] = true;
    part.before = i;
  }
  for (const auto& [id, part] : parts) close(part.interval);
  return stay;
}

Result<> AgeRecord(sql::Database& database, const AgeOptions& options, Moment now,
                   std::int64_t current_run) {
  struct Known {
    std::int64_t id, began, ended, minutes_to, tens_to, ended_wall;
  };
  std::vector<Known> runs;
  {
    // A run without an end was killed: it ended with its last heartbeat.
    TRY_ASSIGN(
        sql::Statement select,
        database.Prepare(
            "SELECT id, mono_ms, minutes_to_ms, tens_to_ms, coalesce(ended_mono_ms, (SELECT "
            "max(mono_ms) FROM host_sample WHERE run = r.id), mono_ms), "
            "coalesce(ended_wall_ms, (SELECT wall_ms FROM host_sample WHERE run = r.id ORDER "
            "BY mono_ms DESC LIMIT 1), wall_ms) FROM run r ORDER BY id"));
    while (true) {
      TRY_ASSIGN(const bool row, select.Step());
      if (!row) break;
      runs.push_back({select.Integer(0), select.Integer(1), select.Integer(4), select.Integer(2),
                      select.Integer(3), select.Integer(5)});
    }
  }
  for (const Known& run : runs) {
    const bool current = run.id == current_run;
    // How long ago the run's monotonic zero was, in milliseconds.
    const std::int64_t end = current ? MonoMs(now.mono) : run.ended + 1;
    const std::int64_t since_end =
        current ? 0 : std::max<std::int64_t>(0, WallMs(now.wall) - run.ended_wall);
    const auto older_than = [&](Milliseconds age) {
      return std::min(end, end + since_end - age.count());
    };
    const std::int64_t minutes = older_than(options.whole_for);
    const std::int64_t tens = older_than(options.minutes_for);
    const std::int64_t gone = older_than(options.keep_for);
    TRY(ThinRun(database, run.id, "minutes_to_ms", std::max(run.began, run.minutes_to), minutes,
                std::chrono::minutes(1)));
    TRY(ThinRun(database, run.id, "tens_to_ms", std::max(run.began, run.tens_to), tens,
                std::chrono::minutes(10)));
    if (gone > run.began) TRY(DeleteRun(database, run.id, gone));
    if (!current && gone >= end)
      TRY(database.Run(fmt::format("DELETE FROM run WHERE id = {}", run.id)));
  }
  // Given back to the file system a little at a time.
  return database.Run("PRAGMA incremental_vacuum(512)");
}

}  // namespace headroom::record
