#include "base/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/testing/temp_folder.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  const TempFolder folder_;
};

TEST_F(FileTest, AtomicWriteReplacesAndLeavesNothingElse) {
  ASSERT_TRUE(WriteFileAtomic(folder_ / "a", "one"));
  ASSERT_TRUE(WriteFileAtomic(folder_ / "a", "two"));
  EXPECT_EQ(ReadFile(folder_ / "a").value(), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
  EXPECT_EQ(fs::status(folder_ / "a").permissions(), fs::perms(0600));
}

TEST_F(FileTest, AtomicWriteIntoAFolderThatIsNotThereLeavesNothing) {
  EXPECT_EQ(WriteFileAtomic(folder_ / "none" / "a", "x").error().code, Errc::kNotFound);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(FileTest, ReadIsBoundedAndRefusesFolders) {
  ASSERT_TRUE(WriteFileAtomic(folder_ / "big", std::string(100, 'x')));
  EXPECT_EQ(ReadFile(folder_ / "big", Bytes(99)).error().code, Errc::kInvalid);
  EXPECT_TRUE(ReadFile(folder_ / "big", Bytes(100)));
  EXPECT_EQ(ReadFile(folder_).error().code, Errc::kInvalid);
  EXPECT_EQ(ReadFile(folder_ / "none").error().code, Errc::kNotFound);
}

TEST_F(FileTest, ALockIsHeldByOne) {
  auto first = FileLock::Take(folder_ / "lock");
  ASSERT_TRUE(first);
  EXPECT_EQ(FileLock::Try(folder_ / "lock").error().code, Errc::kBusy);
  {
    auto gone = std::move(*first);
  }
  EXPECT_TRUE(FileLock::Try(folder_ / "lock"));
}

TEST_F(FileTest, FreeSpaceOfAPathThatDoesNotExistYet) {
  EXPECT_GT(FreeSpace(folder_ / "not" / "yet").value(), MiB(1));
}

}  // namespace
}  // namespace headroom
