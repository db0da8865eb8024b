#include "models/store/add.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/testing/test_hub.h"

namespace headroom::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AddTest : public testing::Test {
 protected:
  TestFolder folder_, outside_;
  Store store_{folder_.path(), {}};
};

TEST_F(AddTest, AnImportedFileIsNamedByWhatItSaysItIs) {
  outside_.Write("download (3).gguf", TinyGguf("whisper-mine"));
  const auto model = ImportInto(store_, outside_ / "download (3).gguf", "", {}, nullptr);
  ASSERT_TRUE(model) << model.error().what;
  EXPECT_EQ(ToString(model->spec), "whisper-mine:F16");
  EXPECT_THAT(folder_.Files(), ElementsAre("models.lock", "whisper-mine-F16.gguf"));
  EXPECT_THAT(store_.ReadLock()->entries[0].source, HasSubstr("imported from /"));
  EXPECT_TRUE(std::filesystem::exists(outside_ / "download (3).gguf"));
}

TEST_F(AddTest, AnImportedFileWithoutANameIsNamedBySize) {
  outside_.Write("x.gguf", TinyGguf(""));
  const auto model = ImportInto(store_, outside_ / "x.gguf", "", {}, nullptr);
  ASSERT_TRUE(model) << model.error().what;
  EXPECT_EQ(model->spec.name, "whisper-0m");
}

TEST_F(AddTest, AGivenNameCountsAndIsNotTakenTwice) {
  outside_.Write("x.gguf", TinyGguf());
  ASSERT_TRUE(ImportInto(store_, outside_ / "x.gguf", "mine", {}, nullptr));
  EXPECT_TRUE(store_.Resolve("mine:F16"));
  const auto again = ImportInto(store_, outside_ / "x.gguf", "mine", {}, nullptr);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kExists);
  const auto bad = ImportInto(store_, outside_ / "x.gguf", "../mine", {}, nullptr);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Errc::kInvalid);
  EXPECT_THAT(folder_.Files(), ElementsAre("mine-F16.gguf", "models.lock"));
}

TEST_F(AddTest, WhatCannotBeImportedLeavesNothing) {
  outside_.Write("x.gguf", TinyGguf().substr(0, 100));
  EXPECT_FALSE(ImportInto(store_, outside_ / "x.gguf", "", {}, nullptr));
  EXPECT_FALSE(ImportInto(store_, outside_ / "absent.gguf", "", {}, nullptr));
  EXPECT_THAT(folder_.Files(), IsEmpty());
}

TEST_F(AddTest, VerifyFindsWhatChanged) {
  outside_.Write("x.gguf", TinyGguf("m", 1));
  const auto model = ImportInto(store_, outside_ / "x.gguf", "m", {}, nullptr);
  ASSERT_TRUE(model);
  const auto good = Verify(store_, *model, {}, nullptr);
  ASSERT_TRUE(good) << good.error().what;
  EXPECT_TRUE(good->recorded);
  EXPECT_EQ(good->sha256, SumOf(TinyGguf("m", 1)));

  folder_.Write("m-F16.gguf", TinyGguf("m", 2));  // as long as before
  const auto changed = Verify(store_, *store_.Find({"m", "F16"}), {}, nullptr);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, Errc::kChecksum);
  EXPECT_THAT(changed.error().what, HasSubstr("headroom models rm m:F16"));

  folder_.Write("m-F16.gguf", TinyGguf("m", 1).substr(0, 500));
  const auto cut = Verify(store_, *store_.Find({"m", "F16"}), {}, nullptr);
  ASSERT_FALSE(cut);
  EXPECT_THAT(cut.error().what, HasSubstr("has 500 bytes"));
}

TEST_F(AddTest, VerifyNotesAFileThatWasJustCopiedThere) {
  folder_.Write("m-F16.gguf", TinyGguf());
  const auto first = Verify(store_, *store_.Find({"m", ""}), {}, nullptr);
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->recorded);
  EXPECT_EQ(store_.ReadLock()->Find("m-F16.gguf")->sha256, first->sha256);
  EXPECT_TRUE(Verify(store_, *store_.Find({"m", ""}), {}, nullptr)->recorded);
  folder_.Write("n-F16.gguf", "not a model");
  EXPECT_FALSE(Verify(store_, *store_.Find({"n", ""}), {}, nullptr));
  EXPECT_FALSE(store_.ReadLock()->Find("n-F16.gguf"));
}

TEST_F(AddTest, QuantizingNeedsAWideOne) {
  folder_.Write("m-Q8_0.gguf", TinyGguf());
  const auto made = QuantizeInto(store_, {"m", ""}, "q4_k_m", {}, nullptr);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kNotFound);
  EXPECT_THAT(made.error().what, HasSubstr("headroom models pull m:F16"));
  const auto wrong = QuantizeInto(store_, {"m", ""}, "Q99", {}, nullptr);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::kInvalid);
  const auto there = QuantizeInto(store_, {"m", "Q8_0"}, "Q8_0", {}, nullptr);
  ASSERT_TRUE(there);
  EXPECT_EQ(there->path, folder_ / "m-Q8_0.gguf");
}

}  // namespace
}  // namespace headroom::models
