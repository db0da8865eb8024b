#include "app/serving/unacked_results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include <fstream>

#include "base/file.h"

namespace headroom::app {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The list and its file, as a session uses them.
struct Box {
  UnackedResults list;
  ResultFile file;

  Result<bool> Add(const UnackedResult& result) {
    if (!list.IsNew(result.item)) return false;
    const bool outgrown = file.Outgrown(list.bytes());
    std::string lines = list.Lines();
    list.Add(result);
    if (outgrown && file.Rewrite(std::move(lines), result)) return true;
    TRY(file.Append(result));
    return true;
  }
  void Acknowledge(std::uint64_t item) { list.Acknowledge(item); }
  const std::deque<UnackedResult>& result() const { return list.result(); }
};

class UnackedResultsTest : public testing::Test {
 protected:
  UnackedResultsTest() {
    std::string name = (fs::path(testing::TempDir()) / "results-XXXXXX").native();
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ / "texts";
  }
  ~UnackedResultsTest() override { fs::remove_all(folder_); }

  Box Open() {
    UnackedResults list;
    auto file = ResultFile::Open(path_, list);
    EXPECT_TRUE(file) << file.error().what;
    return {std::move(list), std::move(*file)};
  }
  static std::vector<std::string> Texts(const Box& box) {
    std::vector<std::string> texts;
    for (const UnackedResult& result : box.result())
      texts.push_back(std::to_string(result.item) + " " + result.text + result.failed);
    return texts;
  }
  static UnackedResult Text(std::uint64_t item, std::string text) {
    return {.item = item, .text = std::move(text), .language = "en", .audio = Milliseconds(700)};
  }

  fs::path folder_, path_;
};

TEST_F(UnackedResultsTest, WhatWasAddedIsThereAgainOnce) {
  {
    Box box = Open();
    EXPECT_EQ(box.Add(Text(3, "one")), true);
    EXPECT_EQ(box.Add({.item = 5, .failed = "gone", .code = Errc::kNoMemory}), true);
    EXPECT_EQ(box.Add(Text(5, "again")), false);
    EXPECT_EQ(box.Add(Text(4, "too late")), false);
  }
  Box box = Open();
  EXPECT_THAT(Texts(box), ElementsAre("3 one", "5 gone"));
  EXPECT_EQ(box.result().back().code, Errc::kNoMemory);
  EXPECT_EQ(box.result().front().language, "en");
  EXPECT_EQ(box.result().front().audio, Milliseconds(700));
  EXPECT_EQ(box.Add(Text(5, "again")), false);
  EXPECT_EQ(box.Add(Text(6, "more")), true);
  box.Acknowledge(5);
  EXPECT_THAT(Texts(box), ElementsAre("6 more"));
}

TEST_F(UnackedResultsTest, OnlyItsOwnerReadsIt) {
  Box box = Open();
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(UnackedResultsTest, CutOffAnywhereTheWholeLinesCount) {
  {
    Box box = Open();
    ASSERT_TRUE(box.Add(Text(1, "one \xe2\x80\x9cquoted\xe2\x80\x9d\nline")));
    ASSERT_TRUE(box.Add(Text(2, "two")));
  }
  const std::string whole = *ReadFile(path_);
  const std::size_t first = whole.find('\n') + 1;
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    {
      std::ofstream(path_, std::ios::trunc) << whole.substr(0, length);
    }
    Box box = Open();
    // A line that lacks only its end is whole.
    const std::size_t expected =
        (length + 1 >= first ? 1U : 0U) + (length + 1 >= whole.size() ? 1U : 0U);
    EXPECT_EQ(box.result().size(), expected) << length;
    ASSERT_TRUE(box.Add(Text(9, "nine")));
    EXPECT_EQ(Open().result().size(), expected + 1) << length;
  }
}

TEST_F(UnackedResultsTest, TheFileDoesNotGrowWithWhatTheClientHas) {
  const std::string text(1'000, 'x');
  std::uintmax_t most = 0;
  {
    Box box = Open();
    for (std::uint64_t item = 1; item <= 300; ++item) {
      ASSERT_EQ(box.Add(Text(item, text)), true);
      if (item >= 4) box.Acknowledge(item - 3);
      most = std::max(most, fs::file_size(path_));
    }
  }
  EXPECT_LT(most, 2U * static_cast<std::uintmax_t>(ResultFile::kSlack.n));
  EXPECT_GT(most,
            static_cast<std::uintmax_t>(ResultFile::kSlack.n));  // and not rewritten each time
  Box box = Open();
  ASSERT_GE(box.result().size(), 3U);
  EXPECT_EQ(box.result().back().item, 300U);
  EXPECT_EQ(box.Add(Text(300, "again")), false);
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(UnackedResultsTest, WhatIsNotAcknowledgedIsKeptWhenTheFileIsRewritten) {
  const std::string text(2'000, 'x');
  Box box = Open();
  for (std::uint64_t item = 1; item <= 100; ++item) ASSERT_TRUE(box.Add(Text(item, text)));
  box.Acknowledge(60);
  EXPECT_EQ(Open().result().size(), 100U);
  ASSERT_TRUE(box.Add(Text(101, "the last")));
  EXPECT_EQ(Texts(Open()), Texts(box));
  EXPECT_EQ(Open().result().size(), 41U);
  ASSERT_TRUE(box.Add(Text(102, "and into the new file")));
  EXPECT_EQ(Open().result().size(), 42U);
}

TEST_F(UnackedResultsTest, RubbishIsPassedOver) {
  {
    std::ofstream(path_) << "rubbish\n[1]\n{\"item\":-1}\n{\"item\":7,\"text\":8}\n\n";
  }
  EXPECT_THAT(Texts(Open()), ElementsAre("7 "));
}

TEST_F(UnackedResultsTest, AFullDiskLosesNoTextWhileItRuns) {
  Box box = Open();
  struct rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const struct rlimit none{0, before.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
  const auto added = box.Add(Text(1, "one"));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_FALSE(added);
  EXPECT_THAT(Texts(box), ElementsAre("1 one"));
}

}  // namespace
}  // namespace headroom::app
