// One flight record open for writing: rows in, transactions, age. Only the writer's thread uses it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/sqlite/database.h"
#include "observe/record/record.h"
#include "observe/record/thin.h"

namespace headroom::record {

class Store {
 public:
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  struct Opened;
  /// Opens or makes the file and begins `run` in it (its id is set here). A damaged file is set
  /// aside and a new one begun.
  static Result<Opened> Open(const std::filesystem::path& path, Run run);

  /// Puts need a transaction: Begin, any number of Put, Commit. After an error the transaction is
  /// gone, and what was put in it.
  Result<> Begin();
  bool in_transaction() const { return transaction_.has_value(); }
  Result<> Put(const Rows& rows);
  Result<> Put(const Event& event);
  Result<> Put(const GpuName& gpu);
  Result<> Commit();
  void Rollback();

  /// Marks the run as ended; a transaction of its own.
  Result<> End(Moment at);

  sql::Database& database() { return database_; }
  std::int64_t run() const { return run_; }
  std::int64_t rows() const { return rows_; }  // put so far

 private:
  struct Statements;
  Store(sql::Database database, std::int64_t run);
  Result<> Prepare();
  Result<std::int64_t> GpuId(const std::string& pci);
  Result<std::int64_t> ProcessId(const ProcessKey& key);
  Result<> Insert(sql::Statement& statement);

  sql::Database database_;
  std::unique_ptr<Statements> statements_;
  std::optional<sql::Transaction> transaction_;
  std::int64_t run_;
  std::int64_t rows_ = 0;
  std::map<std::string, std::int64_t> gpus_;
  std::map<ProcessKey, std::int64_t> processes_;
};

struct Store::Opened {
  std::unique_ptr<Store> store;
  std::optional<std::filesystem::path> set_aside;  // the damaged file's new name
};

/// Milliseconds as files hold them.
std::int64_t MonoMs(MonoTime time);
std::int64_t WallMs(WallTime time);
MonoTime MonoOf(std::int64_t ms);
WallTime WallOf(std::int64_t ms);

}  // namespace headroom::record
