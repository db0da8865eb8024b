#include "asr/client/plan_cache.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"

namespace headroom::asr {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

class PlanCaching : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / "plan_cache" / info->name();
    fs::remove_all(folder_);
    key_ = {.header = std::string(64, 'a'),
            .size = Bytes(1000),
            .mtime = 5,
            .engine = "e 1",
            .profile = "",
            .chunks = {seconds(5), seconds(30)},
            .batch = 1};
    plan_.weights = MiB(998);
    plan_.session = MiB(1);
    plan_.kv = MiB(18);
    plan_.chunks = {
        {.length = seconds(5), .kv = MiB(3), .workspace = MiB(50), .peak = MiB(1052)},
        {.length = seconds(30), .kv = MiB(18), .workspace = MiB(301), .peak = MiB(1318)}};
    plan_.host = MiB(9);
    plan_.traits.architecture = "canary";
  }
  void Write(std::string_view text) {
    std::ofstream(PlanCache(folder_).PathOf(key_), std::ios::binary) << text;
  }

  fs::path folder_;
  PlanKey key_;
  PlanResult plan_;
};

TEST_F(PlanCaching, GivesBackWhatWasStored) {
  const PlanCache cache(folder_);
  EXPECT_FALSE(cache.Find(key_));
  cache.Store(key_, plan_);
  const auto found = cache.Find(key_);
  ASSERT_TRUE(found);
  EXPECT_EQ(ToJson(*found), ToJson(plan_));
}

TEST_F(PlanCaching, AnotherKeyIsAnotherPlan) {
  const PlanCache cache(folder_);
  cache.Store(key_, plan_);
  const auto missing = [&](auto change) {
    PlanKey key = key_;
    change(key);
    return !cache.Find(key);
  };
  EXPECT_TRUE(missing([](PlanKey& k) { k.header[0] = 'b'; }));
  EXPECT_TRUE(missing([](PlanKey& k) { k.size = Bytes(1001); }));
  EXPECT_TRUE(missing([](PlanKey& k) { k.mtime = 6; }));
  EXPECT_TRUE(missing([](PlanKey& k) { k.engine = "e 2"; }));
  EXPECT_TRUE(missing([](PlanKey& k) { k.profile = "cuda"; }));
  EXPECT_TRUE(missing([](PlanKey& k) { k.chunks.pop_back(); }));
  EXPECT_TRUE(missing([](PlanKey& k) { k.batch = 2; }));
  EXPECT_TRUE(missing([](PlanKey& k) { k.cpu = true; }));
}

TEST_F(PlanCaching, CutAndChangedEntriesAreNone) {
  const PlanCache cache(folder_);
  cache.Store(key_, plan_);
  const std::string whole = *ReadFile(cache.PathOf(key_));
  for (std::size_t n = 0; n + 2 < whole.size(); ++n) {
    Write(whole.substr(0, n));
    EXPECT_FALSE(cache.Find(key_)) << n;
  }
  for (const char* wrong : {"null", "[]", "{}", R"({"key": 1, "plan": 2})"}) {
    Write(wrong);
    EXPECT_FALSE(cache.Find(key_)) << wrong;
  }
  // A file that was copied over another one's name.
  PlanKey other = key_;
  other.batch = 4;
  cache.Store(other, plan_);
  fs::copy_file(cache.PathOf(other), cache.PathOf(key_), fs::copy_options::overwrite_existing);
  EXPECT_FALSE(cache.Find(key_));
  cache.Store(key_, plan_);
  EXPECT_TRUE(cache.Find(key_));
}

TEST_F(PlanCaching, AFolderThatCannotBeMadeIsNoError) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "file") << "x";
  const PlanCache cache(folder_ / "file" / "plans");
  cache.Store(key_, plan_);
  EXPECT_FALSE(cache.Find(key_));
}

}  // namespace
}  // namespace headroom::asr
