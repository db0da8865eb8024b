#include "models/store/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "models/store/archive.h"
#include "models/testing/test_hub.h"

namespace headroom::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void WriteTar(const std::filesystem::path& path, const std::vector<TestMember>& members,
              unsigned type = AE_IFREG) {
  const ArchiveWriter owner(archive_write_new());
  archive* a = owner.get();
  archive_write_set_format_pax_restricted(a);
  CHECK(archive_write_open_filename(a, path.c_str()) == ARCHIVE_OK);
  for (const TestMember& member : members) {
    const ArchiveEntry entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), member.name.c_str());
    archive_entry_set_filetype(entry.get(), member.name == "bundle.toml" ? AE_IFREG : type);
    if (type == AE_IFLNK) archive_entry_set_symlink(entry.get(), "/etc/passwd");
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(member.bytes.size()));
    archive_entry_set_perm(entry.get(), 0644);
    CHECK(archive_write_header(a, entry.get()) == ARCHIVE_OK);
    archive_write_data(a, member.bytes.data(), member.bytes.size());
  }
}

class BundleTest : public testing::Test {
 protected:
  BundleTest() {
    from_.Write("a-F16.gguf", a_);
    from_.Write("b-F16.gguf", b_);
    EXPECT_TRUE(here_.Record({"a", "F16"}, SumOf(a_), "https://x/a"));
  }
  Result<> Write() { return WriteBundle(here_, here_.Here(), tar(), {}, nullptr); }
  Result<Unbundled> Read() { return ReadBundle(there_, tar(), {}, nullptr); }
  std::filesystem::path tar() const { return out_ / "models.tar"; }
  std::string Manifest(const std::string& file, const std::string& bytes) {
    LockFile lock;
    lock.Put({file, SumOf(bytes), Bytes(static_cast<std::int64_t>(bytes.size())), "s", "d"});
    return Format(lock);
  }
  void ExpectRefused(Errc code) {
    const auto read = Read();
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, code) << read.error().what;
    EXPECT_THAT(to_.Files(), IsEmpty());
  }

  const std::string a_ = TinyGguf("a", 1), b_ = TinyGguf("b", 2);
  TestFolder from_, to_, out_;
  Store here_{from_.path(), {}}, there_{to_.path(), {}};
};

TEST_F(BundleTest, GoesToAnotherMachine) {
  ASSERT_TRUE(Write());
  const auto read = Read();
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->added.size(), 2u);
  EXPECT_EQ(ReadAll(to_ / "a-F16.gguf"), a_);
  EXPECT_EQ(ReadAll(to_ / "b-F16.gguf"), b_);
  EXPECT_THAT(to_.Files(), ElementsAre("a-F16.gguf", "b-F16.gguf", "models.lock"));
  const auto lock = there_.ReadLock();
  EXPECT_EQ(lock->Find("a-F16.gguf")->source, "https://x/a");
  EXPECT_EQ(lock->Find("b-F16.gguf")->sha256, SumOf(b_));
  EXPECT_THAT(out_.Files(), ElementsAre("models.tar"));
}

TEST_F(BundleTest, ASecondReadingFindsEverythingThere) {
  ASSERT_TRUE(Write());
  ASSERT_TRUE(Read());
  const auto again = Read();
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->added.size(), 0u);
  EXPECT_EQ(again->already.size(), 2u);
}

TEST_F(BundleTest, AnotherFileOfThatNameIsNotReplaced) {
  ASSERT_TRUE(Write());
  to_.Write("a-F16.gguf", "mine");
  const auto read = Read();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::kExists);
  EXPECT_THAT(read.error().what, HasSubstr("headroom models rm a:F16"));
  EXPECT_EQ(ReadAll(to_ / "a-F16.gguf"), "mine");
}

TEST_F(BundleTest, AModelThatChangedIsNotBundled) {
  from_.Write("a-F16.gguf", TinyGguf("a", 7));
  const auto written = Write();
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::kChecksum);
  EXPECT_THAT(out_.Files(), IsEmpty());
}

TEST_F(BundleTest, CutOrDamagedAnywhereNothingWrongGetsAName) {
  ASSERT_TRUE(Write());
  const std::string whole = ReadAll(tar());
  for (std::size_t at = 0; at < whole.size(); at += 97) {
    for (const bool cut : {true, false}) {
      std::string damaged = cut ? whole.substr(0, at) : whole;
      if (!cut) damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
      out_.Write("models.tar", damaged);
      (void)Read();
      for (const std::string& file : to_.Files()) {
        if (file == "a-F16.gguf")
          EXPECT_EQ(ReadAll(to_ / file), a_);
        else if (file == "b-F16.gguf")
          EXPECT_EQ(ReadAll(to_ / file), b_);
        else
          EXPECT_EQ(file, "models.lock");
        std::filesystem::remove(to_ / file);
      }
    }
  }
}

TEST_F(BundleTest, WhatIsNoBundleIsSaid) {
  out_.Write("models.tar", "hello");
  ExpectRefused(Errc::kCorrupt);
  WriteTar(tar(), {{"holiday.jpg", "x"}});
  ExpectRefused(Errc::kCorrupt);
  const auto absent = ReadBundle(there_, out_ / "absent.tar", {}, nullptr);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Errc::kNotFound);
}

TEST_F(BundleTest, NoPathLeadsOutOfTheFolder) {
  for (const char* name : {"../evil-F16.gguf", "/tmp/evil-F16.gguf", "x/../../evil-F16.gguf"}) {
    WriteTar(tar(), {{"bundle.toml", Manifest("evil-F16.gguf", a_)}, {name, a_}});
    ExpectRefused(Errc::kCorrupt);
    WriteTar(tar(), {{"bundle.toml", Manifest(name, a_)}, {name, a_}});
    ExpectRefused(Errc::kCorrupt);
  }
  WriteTar(tar(), {{"bundle.toml", Manifest("models.lock", a_)}, {"models.lock", a_}});
  ExpectRefused(Errc::kCorrupt);
  WriteTar(tar(), {{"bundle.toml", Manifest("a-F16.gguf", "")}, {"a-F16.gguf", ""}}, AE_IFLNK);
  ExpectRefused(Errc::kCorrupt);
}

TEST_F(BundleTest, AListThatLiesIsRefused) {
  WriteTar(tar(), {{"bundle.toml", Manifest("a-F16.gguf", b_)}, {"a-F16.gguf", a_}});
  ExpectRefused(Errc::kChecksum);
  WriteTar(tar(), {{"bundle.toml", Manifest("a-F16.gguf", a_)}, {"a-F16.gguf", a_ + "more"}});
  ExpectRefused(Errc::kCorrupt);
  WriteTar(tar(), {{"bundle.toml", Manifest("a-F16.gguf", a_)}, {"b-F16.gguf", b_}});
  ExpectRefused(Errc::kCorrupt);
  WriteTar(tar(),
           {{"bundle.toml", Manifest("a-F16.gguf", "no model")}, {"a-F16.gguf", "no model"}});
  const auto read = Read();
  ASSERT_FALSE(read);
  EXPECT_THAT(to_.Files(), IsEmpty());
}

}  // namespace
}  // namespace headroom::models
