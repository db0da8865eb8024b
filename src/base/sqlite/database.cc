#include "base/sqlite/database.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <cerrno>
#include <cmath>

#include "base/check.h"
#include "base/fd.h"

namespace headroom::sql {
namespace {

Errc CodeOf(int extended, int system) {
  switch (extended & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::kCorrupt;
    case SQLITE_FULL:
      return Errc::kNoSpace;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::kBusy;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return Errc::kPermission;
    case SQLITE_NOMEM:
      return Errc::kNoMemory;
    case SQLITE_INTERRUPT:
      return Errc::kCancelled;
    case SQLITE_CANTOPEN:
      return system == ENOENT                      ? Errc::kNotFound
             : system == EACCES || system == EPERM ? Errc::kPermission
                                                   : Errc::kIo;
    case SQLITE_IOERR:
      return system == ENOSPC || system == EDQUOT || system == EFBIG ? Errc::kNoSpace : Errc::kIo;
    default:
      return Errc::kInternal;
  }
}

std::unexpected<Error> FailOf(sqlite3* database) {
  const int extended = ::sqlite3_extended_errcode(database);
  const char* path = ::sqlite3_db_filename(database, "main");
  return Fail(CodeOf(extended, ::sqlite3_system_errno(database)), "{}: {}",
              path ? path : "database", ::sqlite3_errmsg(database));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  ::sqlite3_finalize(statement);
}
void Database::Close::operator()(sqlite3* database) const {
  ::sqlite3_close_v2(database);  // waits for statements that outlive it
}

Statement& Statement::Bind(int index, std::int64_t value) {
  CHECK(::sqlite3_bind_int64(statement_.get(), index, value) == SQLITE_OK);
  return *this;
}
Statement& Statement::Bind(int index, double value) {
  if (std::isnan(value)) return BindNull(index);
  CHECK(::sqlite3_bind_double(statement_.get(), index, value) == SQLITE_OK);
  return *this;
}
Statement& Statement::Bind(int index, std::string_view value) {
  const char* text = value.empty() ? "" : value.data();  // a null pointer would be NULL
  CHECK(::sqlite3_bind_text64(statement_.get(), index, text, value.size(), SQLITE_TRANSIENT,
                              SQLITE_UTF8) == SQLITE_OK);
  return *this;
}
Statement& Statement::BindNull(int index) {
  CHECK(::sqlite3_bind_null(statement_.get(), index) == SQLITE_OK);
  return *this;
}

Result<bool> Statement::Step() {
  const int result = ::sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) {
    ::sqlite3_reset(statement_.get());
    return false;
  }
  auto failed = FailOf(::sqlite3_db_handle(statement_.get()));
  ::sqlite3_reset(statement_.get());
  return failed;
}

Result<> Statement::Run() {
  while (true) {
    TRY_ASSIGN(const bool row, Step());
    if (!row) return {};
  }
}

void Statement::Reset() {
  ::sqlite3_reset(statement_.get());
}

std::int64_t Statement::Integer(int column) const {
  return ::sqlite3_column_int64(statement_.get(), column);
}
double Statement::Real(int column) const {
  return ::sqlite3_column_double(statement_.get(), column);
}
std::string_view Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(::sqlite3_column_text(statement_.get(), column));
  if (!text) return {};
  return {text, static_cast<std::size_t>(::sqlite3_column_bytes(statement_.get(), column))};
}
bool Statement::IsNull(int column) const {
  return ::sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}
std::optional<std::int64_t> Statement::MaybeInteger(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Integer(column);
}
std::optional<double> Statement::MaybeReal(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Real(column);
}

Result<Database> Database::Open(const std::filesystem::path& path, Access access,
                                Milliseconds wait) {
  const bool write = access == Access::kReadWrite;
  // SQLite gives -wal and -shm the mode of the database.
  if (write) TRY(headroom::Open(path, O_RDWR | O_CREAT, 0600));
  std::string name = path;
  if (access == Access::kImmutable) {
    name = "file:";
    for (const char c : path.string())  // what a URI would take for its own
      name += c == '%' ? "%25" : c == '?' ? "%3f" : c == '#' ? "%23" : std::string(1, c);
    name += "?immutable=1";
  }
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_NOMUTEX | (write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
                    (access == Access::kImmutable ? SQLITE_OPEN_URI : 0);
  const int result = ::sqlite3_open_v2(name.c_str(), &raw, flags, nullptr);
  Database database(raw);
  if (!raw) return Fail(Errc::kNoMemory, "{}: out of memory", path.string());
  ::sqlite3_extended_result_codes(raw, 1);
  if (result != SQLITE_OK)
    return Fail(CodeOf(result, ::sqlite3_system_errno(raw)), "{}: {}", path.string(),
                ::sqlite3_errmsg(raw));
  ::sqlite3_busy_timeout(raw, static_cast<int>(wait.count()));
  return database;
}

Result<Database> Database::InMemory() {
  sqlite3* raw = nullptr;
  const int result =
      ::sqlite3_open_v2(":memory:", &raw, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE, nullptr);
  Database database(raw);
  if (result != SQLITE_OK || !raw) return Fail(Errc::kNoMemory, "database: out of memory");
  ::sqlite3_extended_result_codes(raw, 1);
  return database;
}

Result<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int result = ::sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                          &raw, nullptr);
  if (result != SQLITE_OK) return FailOf(database_.get());
  return Statement(raw);
}

Result<> Database::Run(const std::string& sql) {
  if (::sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return FailOf(database_.get());
  return {};
}

Result<std::int64_t> Database::Integer(std::string_view sql) {
  TRY_ASSIGN(Statement statement, Prepare(sql));
  TRY_ASSIGN(const bool row, statement.Step());
  if (!row) return Fail(Errc::kNotFound, "no row: {}", sql);
  return statement.Integer(0);
}

Result<std::string> Database::Text(std::string_view sql) {
  TRY_ASSIGN(Statement statement, Prepare(sql));
  TRY_ASSIGN(const bool row, statement.Step());
  if (!row) return Fail(Errc::kNotFound, "no row: {}", sql);
  return std::string(statement.Text(0));
}

std::int64_t Database::last_insert_id() const {
  return ::sqlite3_last_insert_rowid(database_.get());
}
std::int64_t Database::changes() const {
  return ::sqlite3_changes64(database_.get());
}

Result<Transaction> Transaction::Begin(Database& database) {
  TRY(database.Run("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  if (!database_) return;
  // SQLite may have rolled back by itself; then there is nothing left to do.
  [[maybe_unused]] const auto ignored = database_->Run("ROLLBACK");
}

Result<> Transaction::Commit() {
  TRY(database_->Run("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace headroom::sql
