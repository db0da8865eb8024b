#include "models/store/lock_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headroom::models {
namespace {

using testing::HasSubstr;

LockFile Two() {
  LockFile lock;
  lock.Put({"b-F16.gguf", std::string(64, 'b'), Bytes(5'000'000'000), "https://x/y", "2026-01-02"});
  lock.Put({"a-F16.gguf", std::string(64, 'a'), Bytes(1), "a \"quoted\"\\ \n path", "2026-01-02"});
  return lock;
}

TEST(LockFile, GoesThereAndBackSorted) {
  const auto back = ParseLockFile(Format(Two()), "l");
  ASSERT_TRUE(back) << back.error().what;
  ASSERT_EQ(back->entries.size(), 2u);
  EXPECT_EQ(back->entries[0].file, "a-F16.gguf");
  EXPECT_EQ(back->entries[0].source, "a \"quoted\"\\   path");
  EXPECT_EQ(back->entries[1].bytes, Bytes(5'000'000'000));
  EXPECT_EQ(Format(*back), Format(Two()));
}

TEST(LockFile, PutReplacesAndRemoveForgets) {
  LockFile lock = Two();
  lock.Put({"a-F16.gguf", std::string(64, 'c'), Bytes(2), "", ""});
  ASSERT_EQ(lock.entries.size(), 2u);
  EXPECT_EQ(lock.Find("a-F16.gguf")->bytes, Bytes(2));
  EXPECT_TRUE(lock.Remove("a-F16.gguf"));
  EXPECT_FALSE(lock.Remove("a-F16.gguf"));
  EXPECT_FALSE(lock.Find("a-F16.gguf"));
}

TEST(LockFile, CutAnywhereItIsAnErrorOrHasFewerEntries) {
  const std::string text = Format(Two());
  for (std::size_t length = 0; length < text.size(); ++length) {
    const auto cut = ParseLockFile(text.substr(0, length), "l");
    if (!cut) {
      EXPECT_EQ(cut.error().code, Errc::kCorrupt) << length;
      continue;
    }
    EXPECT_LE(cut->entries.size(), 2u);
    for (const LockEntry& entry : cut->entries)
      EXPECT_EQ(entry.sha256, Two().Find(entry.file)->sha256) << length;
  }
}

TEST(LockFile, EveryByteChangedNeverGivesABadName) {
  const std::string text = Format(Two());
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char c : {'\0', '/', '"', '9', '\xFF', '\n'}) {
      std::string changed = text;
      changed[at] = c;
      const auto lock = ParseLockFile(changed, "l");
      if (!lock) continue;
      for (const LockEntry& entry : lock->entries) {
        EXPECT_EQ(entry.file.find('/'), std::string::npos);
        EXPECT_EQ(entry.sha256.size(), 64u);
        EXPECT_GE(entry.bytes, Bytes(0));
      }
    }
  }
}

TEST(LockFile, SaysWhatIsWrongAndWhere) {
  const auto path = ParseLockFile("format = 1\n[[file]]\nname = \"../x\"\n", "l");
  ASSERT_FALSE(path);
  EXPECT_THAT(path.error().what, HasSubstr("l:2: \"name\" has to be a plain file name"));
  EXPECT_THAT(path.error().what, HasSubstr("headroom models verify"));
  const auto newer = ParseLockFile("format = 2\n", "l");
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, Errc::kUnsupported);
}

TEST(LockFile, DatesAreRfc3339) {
  EXPECT_EQ(Rfc3339(WallTime(std::chrono::seconds(1'770'091'506))), "2026-02-03T04:05:06Z");
}

}  // namespace
}  // namespace headroom::models
