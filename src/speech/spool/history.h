// What was said and where it went, for `headroom history`: for a number of hours, then without a
// trace. Above all it is where a text is found that did not arrive.
//
// Deleted text leaves no bytes: SQLite overwrites what it deletes, the file is rewritten after each
// deletion, and its journal is emptied with each commit. Switched off, nothing is written to disk
// and a database that is there is deleted; only texts that did not arrive are kept, in memory.
//
// Thread-safe; calls block for the disk. Damage is set aside as `<path>.damaged` and a new database
// begun; what was set aside expires like the texts in it. docs/spool.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/mutex.h"
#include "base/sqlite/database.h"
#include "speech/spool/spool_format.h"

namespace headroom::speech {

struct HistoryOptions {
  bool on = true;
  int hours = 24;
  const Clock* clock = &SystemClock();
};

enum class Arrival {
  kDelivered = 0,
  kUndelivered = 1,  // no target took it
  kUncertain = 2,    // a target was given it, and then the program ended
};
/// "delivered", "undelivered", "uncertain"
std::string_view Name(Arrival arrival);

struct HistoryEntry {
  std::int64_t id = 0;        // grows; never used again
  UtteranceId utterance = 0;  // at most one entry of each
  WallTime at{};              // when it was spoken
  std::string text{};
  Arrival arrival = Arrival::kDelivered;
  std::string why{};     // it did not arrive, or arrived otherwise; "" : nothing to say
  std::string target{};  // "type", "clipboard", …
  std::string tier{};
  std::optional<Milliseconds> latency{};  // from the last word to the text
  std::optional<Milliseconds> gap{};      // so long nothing ran to hear what followed
};

class History {
 public:
  /// Opens or makes `path` (folders too, 0700; the file 0600), and lets go what is too old.
  /// kUnsupported: of a later version, which is left alone.
  static Result<std::unique_ptr<History>> Open(const std::filesystem::path& path,
                                               const HistoryOptions& options);

  /// The entry's id, whatever `entry.id` says; 0 when it is not kept (switched off, and it
  /// arrived). An entry of the same utterance is replaced.
  Result<std::int64_t> Add(const HistoryEntry& entry);
  /// kNotFound when there is none. Switched off, one that arrived now is forgotten.
  Result<> SetArrival(std::int64_t id, Arrival arrival, const std::string& why);
  /// The newest first, only those with a smaller id than `before`.
  Result<std::vector<HistoryEntry>> Last(
      std::size_t most, std::int64_t before = std::numeric_limits<std::int64_t>::max());
  /// nullopt: there is none.
  Result<std::optional<HistoryEntry>> Find(std::int64_t id);
  /// The newest that did not certainly arrive.
  Result<std::optional<HistoryEntry>> LastUndelivered();

  /// kNotFound when there is none.
  Result<> Forget(std::int64_t id);
  Result<> Clear();
  /// Lets go what is older than the retention, or from a future that far away; to be called every
  /// few minutes. How many went.
  Result<std::int64_t> Expire();

  /// Whether texts are kept on disk.
  bool on() const { return options_.on; }
  /// Where a damaged database was put by Open; "" : nowhere.
  const std::filesystem::path& set_aside() const { return set_aside_; }

 private:
  History(std::filesystem::path path, const HistoryOptions& options, sql::Database database)
      : path_(std::move(path)), options_(options), database_(std::move(database)) {}
  static Result<sql::Database> OpenDatabase(const std::filesystem::path& path);
  Result<std::vector<HistoryEntry>> Select(const std::string& where, std::int64_t value,
                                           std::int64_t most) REQUIRES(mutex_);
  Result<std::int64_t> Delete(const std::string& where, std::int64_t from, std::int64_t to)
      REQUIRES(mutex_);
  std::filesystem::path damaged() const;

  const std::filesystem::path path_;
  const HistoryOptions options_;
  std::filesystem::path set_aside_;
  Mutex mutex_;
  sql::Database database_ GUARDED_BY(mutex_);
};

}  // namespace headroom::speech
