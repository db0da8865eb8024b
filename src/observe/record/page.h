// Rows of one table, a page at a time: the memory is a page, a writer is kept from nothing, and a
// damaged place costs the rows around it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/sqlite/database.h"
#include "base/text.h"

namespace headroom::record {

/// Where a row stands among those of its file.
struct Place {
  std::int64_t run = 0, mono_ms = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

template <class Row>
class Pages {
 public:
  using Parse = Row (*)(const sql::Statement&);

  /// `order`: the columns of the key after `run`; "id" alone orders by that. `damage` and
  /// `database` outlive this.
  Pages(sql::Database& database, const std::filesystem::path& path, const char* table,
        const char* order, Parse parse, std::int64_t from_ms, std::int64_t to_ms,
        std::vector<std::string>& damage)
      : database_(database), path_(path), table_(table), parse_(parse), damage_(damage) {
    by_id_ = std::string_view(order) == "id";
    const auto columns = Split(order, ',');
    by_part_ = columns.size() > 1;
    if (by_id_)
      sql_ = fmt::format("SELECT id, run, mono_ms, wall_ms, kind, attributes FROM {} WHERE id > ?1",
                         table);
    else if (by_part_)
      sql_ = fmt::format("SELECT * FROM {} WHERE (run, {}) > (?1, ?2, ?3)", table, order);
    else
      sql_ = fmt::format("SELECT * FROM {} WHERE (run, {}) > (?1, ?2)", table, order);
    sql_ += fmt::format(" AND wall_ms >= {} AND wall_ms < {} ORDER BY {}{} LIMIT {}", from_ms,
                        to_ms, by_id_ ? "" : "run, ", order, kPage);
  }

  /// The next row; null when there is none (yet).
  const Row* Head() {
    if (rows_.empty()) Fill();
    return rows_.empty() ? nullptr : &rows_.front();
  }
  void Pop() { rows_.pop_front(); }

 private:
  static constexpr int kPage = 1024;
  static constexpr int kMostSkips = 48;

  struct Key {
    std::int64_t a = INT64_MIN, b = 0, c = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };

  void Fill() {
    while (rows_.empty() && !lost_) {
      const Result<bool> more = ReadPage();
      if (more) {
        if (!*more) return;
        continue;
      }
      if (more.error().code == Errc::kBusy) return;  // a checkpoint; the next call tries again
      Skip(more.error());
    }
  }

  // False: the end. A page may hold nothing that is of use, and yet not be the end.
  Result<bool> ReadPage() {
    if (!query_) {
      TRY_ASSIGN(query_, database_.Prepare(sql_));
    }
    query_->Reset();
    query_->Bind(1, last_.a);
    if (!by_id_) query_->Bind(2, last_.b);
    if (by_part_) query_->Bind(3, last_.c);
    int read = 0;
    while (true) {
      Result<bool> row = query_->Step();
      if (!row) return Fail(std::move(row).error());
      if (!*row) break;
      ++read;
      const sql::Statement& s = *query_;
      const Key key = by_id_ ? Key{s.Integer(0), 0, 0}
                             : Key{s.Integer(0), s.Integer(1), by_part_ ? s.Integer(2) : 0};
      if (key <= last_) {
        query_->Reset();
        return Fail(Errc::kCorrupt, "rows out of order");
      }
      last_ = key;
      Row parsed = parse_(s);
      parsed.place = by_id_ ? Place{s.Integer(1), s.Integer(2)} : Place{key.a, key.b};
      // Events of several threads may have changed places by a little.
      if (by_id_ && parsed.place < place_) parsed.place = place_;
      constexpr std::int64_t kMostMs = std::int64_t{1} << 42;  // 139 years
      const std::int64_t wall = s.Integer(by_id_ || by_part_ ? 3 : 2);
      if (parsed.place.mono_ms < 0 || parsed.place.mono_ms > kMostMs || wall < 0 || wall > kMostMs)
        continue;
      place_ = parsed.place;
      rows_.push_back(std::move(parsed));
    }
    return read > 0;
  }

  // Beyond the damaged place: a second, then twice as far each time.
  void Skip(const Error& error) {
    if (damage_.size() < 32)
      damage_.push_back(
          fmt::format("{}: {} is damaged in places: {}", path_.string(), table_, error.what));
    query_.reset();
    if (++skips_ > kMostSkips) {
      lost_ = true;
      return;
    }
    const std::int64_t far = std::int64_t{1} << std::min(skips_ - 1, 40);
    if (by_id_) {
      last_.a = std::max<std::int64_t>(last_.a, 0) + far;
    } else if (last_.a == INT64_MIN || far >= std::int64_t{1} << 32) {
      last_ = Key{std::max<std::int64_t>(last_.a, 0) + 1, 0, 0};  // the next run
    } else {
      last_ = Key{last_.a, last_.b + 1000 * far, INT64_MAX};
    }
  }

  sql::Database& database_;
  const std::filesystem::path& path_;
  std::string table_, sql_;
  Parse parse_;
  std::vector<std::string>& damage_;
  bool by_id_ = false, by_part_ = false;
  std::optional<sql::Statement> query_;
  Key last_;
  Place place_;
  std::deque<Row> rows_;
  int skips_ = 0;
  bool lost_ = false;
};

}  // namespace headroom::record
