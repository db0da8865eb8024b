#include "base/sqlite/database.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/testing/temp_folder.h"

namespace headroom::sql {
namespace {

namespace fs = std::filesystem;

class DatabaseTest : public testing::Test {
 protected:
  const TempFolder folder_;
  const fs::path path_ = folder_ / "x.db";
};

unsigned ModeOf(const fs::path& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
}

TEST_F(DatabaseTest, ValuesComeBackAsTheyWere) {
  auto database = Database::Open(path_, Access::kReadWrite);
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->Run("CREATE TABLE t(a, b, c, d)"));
  auto insert = database->Prepare("INSERT INTO t VALUES(?,?,?,?)");
  ASSERT_TRUE(insert);
  const std::string_view text("null \0 inside", 13);
  insert->Bind(1, std::int64_t{1} << 62)
      .Bind(2, 2.5)
      .Bind(3, text)
      .Bind(4, std::optional<double>());
  ASSERT_TRUE(insert->Run());
  EXPECT_EQ(database->changes(), 1);
  auto select = database->Prepare("SELECT a, b, c, d FROM t");
  ASSERT_TRUE(select);
  ASSERT_THAT(select->Step(), testing::Optional(true));
  EXPECT_EQ(select->Integer(0), std::int64_t{1} << 62);
  EXPECT_EQ(select->Real(1), 2.5);
  EXPECT_EQ(select->Text(2), text);
  EXPECT_TRUE(select->IsNull(3));
  EXPECT_EQ(select->MaybeInteger(3), std::nullopt);
  EXPECT_THAT(select->Step(), testing::Optional(false));
}

TEST_F(DatabaseTest, IsPrivateWhateverTheUmask) {
  const mode_t old = ::umask(0);
  auto database = Database::Open(path_, Access::kReadWrite);
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->Run("PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1)"));
  ::umask(old);
  for (const char* end : {"", "-wal", "-shm"})
    EXPECT_EQ(ModeOf(path_.string() + end), 0600u) << end;
}

TEST_F(DatabaseTest, ErrorsHaveOurCodes) {
  EXPECT_EQ(Database::Open(path_, Access::kReadOnly).error().code, Errc::kNotFound);
  ASSERT_TRUE(WriteFileAtomic(path_, std::string(8192, 'x')));
  auto garbage = Database::Open(path_, Access::kReadWrite);
  ASSERT_TRUE(garbage);
  const auto read = garbage->Integer("SELECT count(*) FROM sqlite_schema");
  EXPECT_EQ(read.error().code, Errc::kCorrupt);
  EXPECT_THAT(read.error().what, testing::HasSubstr("x.db: "));

  fs::remove(path_);
  auto one = Database::Open(path_, Access::kReadWrite);
  auto two = Database::Open(path_, Access::kReadWrite, Milliseconds(1));
  ASSERT_TRUE(one && two);
  ASSERT_TRUE(one->Run("CREATE TABLE t(a)"));
  auto held = Transaction::Begin(*one);
  ASSERT_TRUE(held);
  EXPECT_EQ(Transaction::Begin(*two).error().code, Errc::kBusy);
  EXPECT_EQ(one->Integer("SELECT a FROM t").error().code, Errc::kNotFound);
  EXPECT_EQ(one->Run("PRAGMA max_page_count=2").has_value(), true);
  EXPECT_EQ(one->Run("INSERT INTO t VALUES(zeroblob(100000))").error().code, Errc::kNoSpace);
}

TEST_F(DatabaseTest, WithoutCommitNothingHappened) {
  auto database = Database::Open(path_, Access::kReadWrite);
  ASSERT_TRUE(database && database->Run("CREATE TABLE t(a)"));
  {
    auto transaction = Transaction::Begin(*database);
    ASSERT_TRUE(transaction && database->Run("INSERT INTO t VALUES(1)"));
  }
  EXPECT_THAT(database->Integer("SELECT count(*) FROM t"), testing::Optional(0));
  {
    auto transaction = Transaction::Begin(*database);
    ASSERT_TRUE(transaction && database->Run("INSERT INTO t VALUES(1)") && transaction->Commit());
  }
  EXPECT_THAT(database->Integer("SELECT count(*) FROM t"), testing::Optional(1));
}

}  // namespace
}  // namespace headroom::sql
