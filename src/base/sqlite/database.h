// SQLite with errors as values: one connection, its statements, and SQLite's result codes as ours.
//
// A Database and its Statements belong to one thread at a time. kCorrupt means the file's bytes are
// wrong, kNoSpace that the disk (or a quota, or a file size limit) is full, kBusy that another
// connection holds the lock for longer than the wait.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace headroom::sql {

class Statement {
 public:
  /// Parameters count from 1. Text is copied.
  Statement& Bind(int index, std::int64_t value);
  Statement& Bind(int index, double value);  // not a number: NULL
  Statement& Bind(int index, std::string_view value);
  Statement& BindNull(int index);
  template <class T>
  Statement& Bind(int index, const std::optional<T>& value) {
    return value ? Bind(index, *value) : BindNull(index);
  }

  /// True: a row is there. False: the end; the statement is reset, its parameters stay.
  Result<bool> Step();
  /// To the end, ignoring rows.
  Result<> Run();
  void Reset();

  /// Columns count from 0; of the present row. NULL reads as 0 or "".
  std::int64_t Integer(int column) const;
  double Real(int column) const;
  /// Valid until the next Step or Reset.
  std::string_view Text(int column) const;
  bool IsNull(int column) const;
  std::optional<std::int64_t> MaybeInteger(int column) const;
  std::optional<double> MaybeReal(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

enum class Access {
  kReadOnly,
  /// The file alone, as if no process wrote it: no lock, no -wal, no -shm. For files at rest and
  /// folders that cannot be written.
  kImmutable,
  kReadWrite,  // creates the file, with mode 0600 whatever the umask; -wal and -shm get the same
};

class Database {
 public:
  /// Nothing of the file is read yet, so bytes that are no database show at the first statement.
  /// `wait`: how long a statement waits for another connection's lock.
  static Result<Database> Open(const std::filesystem::path& path, Access access,
                               Milliseconds wait = Milliseconds(2'000));

  /// In memory only; gone with the object.
  static Result<Database> InMemory();

  Result<Statement> Prepare(std::string_view sql);
  /// Any number of statements, rows ignored.
  Result<> Run(const std::string& sql);
  /// The first column of the first row; kNotFound without a row.
  Result<std::int64_t> Integer(std::string_view sql);
  Result<std::string> Text(std::string_view sql);
  std::int64_t last_insert_id() const;
  /// Rows that the last statement changed.
  std::int64_t changes() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* database) : database_(database) {}
  std::unique_ptr<sqlite3, Close> database_;
};

/// BEGIN IMMEDIATE … COMMIT; rolled back when it goes out of scope without Commit.
class Transaction {
 public:
  static Result<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<> Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  // null: done
};

}  // namespace headroom::sql
