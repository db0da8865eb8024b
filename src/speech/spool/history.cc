#include "speech/spool/history.h"

#include <array>
#include <system_error>
#include <utility>

#include "base/file.h"

namespace headroom::speech {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kVersion = 1;
constexpr std::int64_t kMostInMemory = 100;

// No write-ahead log, which would keep deleted text until it is reset. The journal of an ordinary
// transaction is emptied at its end. VACUUM's copy of the texts stays in memory.
constexpr char kPragmas[] =
    "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
    "PRAGMA temp_store = MEMORY;";

constexpr char kSchema[] =
    "CREATE TABLE IF NOT EXISTS texts("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, utterance INTEGER NOT NULL UNIQUE,"
    " at_ms INTEGER NOT NULL, text TEXT NOT NULL, arrival INTEGER NOT NULL, why TEXT NOT NULL,"
    " target TEXT NOT NULL, tier TEXT NOT NULL, latency_ms INTEGER, gap_ms INTEGER);"
    "PRAGMA user_version = 1;";

constexpr char kColumns[] =
    "id, utterance, at_ms, text, arrival, why, target, tier, latency_ms, gap_ms";

std::optional<std::int64_t> Count(const std::optional<Milliseconds>& time) {
  if (!time) return std::nullopt;
  return time->count();
}

std::optional<Milliseconds> Time(const std::optional<std::int64_t>& ms) {
  if (!ms) return std::nullopt;
  return Milliseconds(*ms);
}

Arrival ArrivalOf(std::int64_t number) {
  return number == 0   ? Arrival::kDelivered
         : number == 1 ? Arrival::kUndelivered
                       : Arrival::kUncertain;
}

constexpr std::array<const char*, 4> kSuffixes = {"", "-journal", "-wal", "-shm"};

}  // namespace

std::string_view Name(Arrival arrival) {
  switch (arrival) {
    case Arrival::kDelivered:
      return "delivered";
    case Arrival::kUndelivered:
      return "undelivered";
    case Arrival::kUncertain:
      return "uncertain";
  }
  return "uncertain";
}

Result<std::unique_ptr<History>> History::Open(const fs::path& path,
                                               const HistoryOptions& options) {
  const auto doing = "open the history";
  if (!options.on) {
    for (const char* suffix : kSuffixes) {
      std::error_code failed;
      fs::remove(path.string() + suffix, failed);
      if (failed) return FailErrno(failed.value(), "delete the history {}", path.string());
    }
    std::error_code ignored;
    fs::remove(path.string() + ".damaged", ignored);
    TRY_ASSIGN(sql::Database database, sql::Database::InMemory());
    TRY(database.Run(kSchema));
    return std::unique_ptr<History>(new History(path, options, std::move(database)));
  }
  if (auto made = MakeDirectories(path.parent_path()); !made) return Within(made, "{}", doing);
  fs::path set_aside;
  auto database = OpenDatabase(path);
  if (!database && database.error().code == Errc::kCorrupt) {
    set_aside = path.string() + ".damaged";
    std::error_code failed;
    fs::rename(path, set_aside, failed);
    if (failed) return FailErrno(failed.value(), "set the damaged history {} aside", path.string());
    // Its time begins now.
    fs::last_write_time(set_aside, fs::file_time_type::clock::from_sys(options.clock->WallNow()),
                        failed);
    for (const char* suffix : kSuffixes) fs::remove(path.string() + suffix, failed);
    database = OpenDatabase(path);
  }
  if (!database) return Within(database, "{}", doing);
  std::unique_ptr<History> history(new History(path, options, *std::move(database)));
  history->set_aside_ = set_aside;
  if (auto expired = history->Expire(); !expired) return Within(expired, "{}", doing);
  return history;
}

Result<sql::Database> History::OpenDatabase(const fs::path& path) {
  TRY_ASSIGN(sql::Database database, sql::Database::Open(path, sql::Access::kReadWrite));
  TRY(database.Run(kPragmas));
  TRY_ASSIGN(const std::int64_t version, database.Integer("PRAGMA user_version"));
  if (version > kVersion)
    return Fail(Errc::kUnsupported, "{}: written by a later version of headroom", path.string());
  TRY_ASSIGN(const std::string check, database.Text("PRAGMA quick_check(1)"));
  if (check != "ok") return Fail(Errc::kCorrupt, "{}: {}", path.string(), check);
  TRY(database.Run(kSchema));
  // A table of that name with other columns is not ours either.
  if (auto readable = database.Prepare(fmt::format("SELECT {} FROM texts", kColumns)); !readable)
    return Fail(Errc::kCorrupt, "{}", readable.error().what);
  return database;
}

Result<std::int64_t> History::Add(const HistoryEntry& entry) {
  const MutexLock guard(mutex_);
  if (!options_.on && entry.arrival == Arrival::kDelivered) {
    TRY(Delete("utterance BETWEEN ? AND ?", static_cast<std::int64_t>(entry.utterance),
               static_cast<std::int64_t>(entry.utterance)));
    return 0;
  }
  TRY_ASSIGN(sql::Transaction transaction, sql::Transaction::Begin(database_));
  TRY_ASSIGN(sql::Statement add,
             database_.Prepare("INSERT OR REPLACE INTO texts(utterance, at_ms, text, arrival, why,"
                               " target, tier, latency_ms, gap_ms)"
                               " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  add.Bind(1, static_cast<std::int64_t>(entry.utterance))
      .Bind(2, ToMilliseconds(entry.at))
      .Bind(3, std::string_view(entry.text))
      .Bind(4, static_cast<std::int64_t>(entry.arrival))
      .Bind(5, std::string_view(entry.why))
      .Bind(6, std::string_view(entry.target))
      .Bind(7, std::string_view(entry.tier))
      .Bind(8, Count(entry.latency))
      .Bind(9, Count(entry.gap));
  TRY(add.Run());
  const std::int64_t id = database_.last_insert_id();
  TRY(transaction.Commit());
  if (!options_.on) TRY(Delete("id BETWEEN ? AND ?", 0, id - kMostInMemory));
  return id;
}

Result<> History::SetArrival(std::int64_t id, Arrival arrival, const std::string& why) {
  const MutexLock guard(mutex_);
  TRY_ASSIGN(sql::Statement set,
             database_.Prepare("UPDATE texts SET arrival = ?, why = ? WHERE id = ?"));
  set.Bind(1, static_cast<std::int64_t>(arrival)).Bind(2, std::string_view(why)).Bind(3, id);
  TRY(set.Run());
  if (database_.changes() == 0) return Fail(Errc::kNotFound, "there is no text {}", id);
  if (!options_.on && arrival == Arrival::kDelivered) TRY(Delete("id BETWEEN ? AND ?", id, id));
  return {};
}

Result<std::vector<HistoryEntry>> History::Last(std::size_t most, std::int64_t before) {
  const MutexLock guard(mutex_);
  return Select("id < ?", before, static_cast<std::int64_t>(most));
}

Result<std::optional<HistoryEntry>> History::Find(std::int64_t id) {
  const MutexLock guard(mutex_);
  TRY_ASSIGN(auto found, Select("id = ?", id, 1));
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

Result<std::optional<HistoryEntry>> History::LastUndelivered() {
  const MutexLock guard(mutex_);
  TRY_ASSIGN(auto found, Select("arrival != ?", static_cast<std::int64_t>(Arrival::kDelivered), 1));
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

Result<> History::Forget(std::int64_t id) {
  const MutexLock guard(mutex_);
  TRY_ASSIGN(const std::int64_t gone, Delete("id BETWEEN ? AND ?", id, id));
  if (gone == 0) return Fail(Errc::kNotFound, "there is no text {}", id);
  return {};
}

Result<> History::Clear() {
  const MutexLock guard(mutex_);
  std::error_code ignored;
  fs::remove(damaged(), ignored);
  TRY(Delete("id BETWEEN ? AND ?", 0, std::numeric_limits<std::int64_t>::max()));
  return {};
}

Result<std::int64_t> History::Expire() {
  const MutexLock guard(mutex_);
  const WallTime now = options_.clock->WallNow();
  const auto kept = std::chrono::hours(options_.hours);
  std::error_code failed;
  const auto written = fs::last_write_time(damaged(), failed);
  if (!failed && fs::file_time_type::clock::to_sys(written) < now - kept)
    fs::remove(damaged(), failed);
  // What is from further in the future than texts are kept was written under a wrong clock.
  return Delete("at_ms NOT BETWEEN ? AND ?", ToMilliseconds(now - kept),
                ToMilliseconds(now + kept));
}

Result<std::vector<HistoryEntry>> History::Select(const std::string& where, std::int64_t value,
                                                  std::int64_t most) {
  TRY_ASSIGN(sql::Statement select,
             database_.Prepare(fmt::format("SELECT {} FROM texts WHERE {} ORDER BY id DESC LIMIT ?",
                                           kColumns, where)));
  select.Bind(1, value).Bind(2, most);
  std::vector<HistoryEntry> entries;
  while (true) {
    TRY_ASSIGN(const bool row, select.Step());
    if (!row) return entries;
    entries.push_back({.id = select.Integer(0),
                       .utterance = static_cast<UtteranceId>(select.Integer(1)),
                       .at = FromMilliseconds(select.Integer(2)),
                       .text = std::string(select.Text(3)),
                       .arrival = ArrivalOf(select.Integer(4)),
                       .why = std::string(select.Text(5)),
                       .target = std::string(select.Text(6)),
                       .tier = std::string(select.Text(7)),
                       .latency = Time(select.MaybeInteger(8)),
                       .gap = Time(select.MaybeInteger(9))});
  }
}

Result<std::int64_t> History::Delete(const std::string& where, std::int64_t from, std::int64_t to) {
  std::int64_t gone = 0;
  {
    TRY_ASSIGN(sql::Statement remove, database_.Prepare("DELETE FROM texts WHERE " + where));
    remove.Bind(1, from).Bind(2, to);
    TRY(remove.Run());
    gone = database_.changes();
  }
  // Moving rows between pages may have left copies, which secure_delete does not know of.
  if (gone > 0) TRY(database_.Run("VACUUM"));
  return gone;
}

fs::path History::damaged() const {
  return path_.string() + ".damaged";
}

}  // namespace headroom::speech
