#include "observe/record/schema.h"

#include <array>

#include "observe/record/record.h"

namespace headroom::record {
namespace {

namespace fs = std::filesystem;

// Sample tables are ordered by (run, mono_ms), so that a range is read in one sweep, and rows of
// the black box, written later, fall into their place. Times are milliseconds, sizes bytes, NULL
// unknown.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE run(
  id INTEGER PRIMARY KEY, boot TEXT NOT NULL, program TEXT NOT NULL, version TEXT NOT NULL,
  target TEXT NOT NULL, pid INTEGER NOT NULL, wall_ms INTEGER NOT NULL, mono_ms INTEGER NOT NULL,
  ended_wall_ms INTEGER, ended_mono_ms INTEGER,
  minutes_to_ms INTEGER NOT NULL DEFAULT 0, tens_to_ms INTEGER NOT NULL DEFAULT 0);
CREATE TABLE card(
  id INTEGER PRIMARY KEY, pci TEXT NOT NULL UNIQUE, name TEXT, uuid TEXT, driver TEXT);
CREATE TABLE process(
  id INTEGER PRIMARY KEY, role TEXT NOT NULL, pid INTEGER NOT NULL, UNIQUE(role, pid));
CREATE TABLE host_sample(
  run INTEGER NOT NULL, mono_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL, total INTEGER, available INTEGER, swap_total INTEGER,
  swap_used INTEGER, psi_some REAL, psi_full REAL,
  PRIMARY KEY(run, mono_ms)) WITHOUT ROWID;
CREATE TABLE service_sample(
  run INTEGER NOT NULL, mono_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL, ram INTEGER,
  swap INTEGER, cgroup_current INTEGER, cgroup_high INTEGER, cgroup_max INTEGER,
  cgroup_swap INTEGER, room INTEGER, oom_kills INTEGER, psi_full REAL, queue_ms INTEGER,
  zone_vram INTEGER, zone_ram INTEGER, zone_swap INTEGER, zone_pressure INTEGER,
  zone_card INTEGER, tier TEXT,
  PRIMARY KEY(run, mono_ms)) WITHOUT ROWID;
CREATE TABLE card_sample(
  run INTEGER NOT NULL, mono_ms INTEGER NOT NULL, card INTEGER NOT NULL,
  wall_ms INTEGER NOT NULL, state TEXT, total INTEGER, used INTEGER, own INTEGER,
  PRIMARY KEY(run, mono_ms, card)) WITHOUT ROWID;
CREATE TABLE process_sample(
  run INTEGER NOT NULL, mono_ms INTEGER NOT NULL, process INTEGER NOT NULL,
  wall_ms INTEGER NOT NULL, rss INTEGER, counted INTEGER, pss INTEGER, swap INTEGER, card INTEGER,
  PRIMARY KEY(run, mono_ms, process)) WITHOUT ROWID;
CREATE TABLE event(
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, mono_ms INTEGER NOT NULL,
  wall_ms INTEGER NOT NULL, kind TEXT NOT NULL, attributes TEXT);
CREATE TABLE zone(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO zone VALUES (0,'safe'),(1,'warning'),(2,'danger'),(3,'critical');
CREATE VIEW cards AS
  SELECT datetime(s.wall_ms / 1000, 'unixepoch') AS utc, s.run, c.pci, c.name, s.state,
    s.used / 1048576 AS used_mib, s.own / 1048576 AS own_mib,
    (s.used - s.own) / 1048576 AS others_mib, s.total / 1048576 AS total_mib,
    round(100.0 * s.used / s.total, 1) AS percent
  FROM card_sample s JOIN card c ON c.id = s.card;
CREATE VIEW processes AS
  SELECT datetime(s.wall_ms / 1000, 'unixepoch') AS utc, s.run, p.role, p.pid,
    s.rss / 1048576 AS rss_mib, s.counted / 1048576 AS counted_mib, s.pss / 1048576 AS pss_mib,
    s.swap / 1048576 AS swap_mib, s.card / 1048576 AS card_mib
  FROM process_sample s JOIN process p ON p.id = s.process;
CREATE VIEW events AS
  SELECT datetime(wall_ms / 1000, 'unixepoch') AS utc, run, kind, attributes FROM event;
)sql";

// Element v brings a file of version v to v + 1; 0 is an empty file.
constexpr std::array<const char*, kSchemaVersion> kSteps = {kVersion1};

Result<> Recognise(sql::Database& database, const fs::path& path) {
  TRY_ASSIGN(const std::int64_t id, database.Integer("PRAGMA application_id"));
  TRY_ASSIGN(const std::int64_t version, database.Integer("PRAGMA user_version"));
  if (id != kApplicationId)
    return Fail(Errc::kUnsupported, "{}: is a database, but not a flight record", path.string());
  if (version > kSchemaVersion)
    return Fail(Errc::kUnsupported,
                "{}: flight record of version {}, this program knows up to {}; use a newer one",
                path.string(), version, kSchemaVersion);
  if (version < 0)
    return Fail(Errc::kCorrupt, "{}: flight record of version {}", path.string(), version);
  return {};
}

}  // namespace

Result<sql::Database> OpenForWriting(const fs::path& path) {
  TRY_ASSIGN(sql::Database database, sql::Database::Open(path, sql::Access::kReadWrite));
  TRY_ASSIGN(const std::int64_t tables, database.Integer("SELECT count(*) FROM sqlite_schema"));
  if (tables == 0) {
    TRY(database.Run("PRAGMA auto_vacuum=INCREMENTAL"));
  } else {
    TRY(Recognise(database, path));
    TRY_ASSIGN(const std::string check, database.Text("PRAGMA quick_check(1)"));
    if (check != "ok") return Fail(Errc::kCorrupt, "{}: {}", path.string(), check);
  }
  // FULL: each commit is synced, so a power loss takes no more than kill -9 does. There is at most
  // one commit a second, and on a quiet machine one in ten.
  TRY(
      database.Run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                   "PRAGMA journal_size_limit=4194304; PRAGMA temp_store=MEMORY; "
                   "PRAGMA cache_size=-1024"));
  TRY_ASSIGN(std::int64_t version, database.Integer("PRAGMA user_version"));
  if (tables > 0 && version == 0)
    return Fail(Errc::kCorrupt, "{}: flight record without a version", path.string());
  for (; version < kSchemaVersion; ++version) {
    TRY_ASSIGN(sql::Transaction transaction, sql::Transaction::Begin(database));
    TRY(database.Run(kSteps[static_cast<std::size_t>(version)]));
    TRY(database.Run(fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", kApplicationId,
                                 version + 1)));
    TRY(transaction.Commit());
  }
  // Else a new file's own pages lie in the -wal for as long as a day, and a reader of the file
  // alone does not see what it is.
  TRY(database.Run("PRAGMA wal_checkpoint(PASSIVE)"));
  return database;
}

Result<sql::Database> OpenForReading(const fs::path& path) {
  std::error_code ignored;
  const bool at_rest = !fs::exists(path.string() + "-wal", ignored);
  const auto open = [&](sql::Access access) -> Result<sql::Database> {
    TRY_ASSIGN(sql::Database database, sql::Database::Open(path, access));
    // Else SQLite refuses a file that is shorter than it says, with all that it does hold.
    TRY(database.Run("PRAGMA writable_schema=ON"));
    TRY(Recognise(database, path));
    return database;
  };
  if (at_rest) return open(sql::Access::kImmutable);
  Result<sql::Database> database = open(sql::Access::kReadOnly);
  // A folder that we may not write has no room for SQLite's -shm; a damaged -wal is left out.
  if (!database && database.error().code != Errc::kUnsupported)
    return open(sql::Access::kImmutable);
  return database;
}

Result<fs::path> SetAside(const fs::path& path) {
  for (int n = 1;; ++n) {
    const fs::path aside = fmt::format("{}.damaged-{}", path.string(), n);
    std::error_code failed;
    if (fs::exists(aside, failed)) continue;
    fs::rename(path, aside, failed);
    if (failed) return FailErrno(failed.value(), "set aside {}", path.string());
    fs::rename(path.string() + "-wal", aside.string() + "-wal", failed);
    fs::remove(path.string() + "-shm", failed);
    return aside;
  }
}

}  // namespace headroom::record
