#include "speech/spool/history.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <string>

#include "base/file.h"
#include "base/testing/temp_folder.h"

namespace headroom::speech {
namespace {

namespace fs = std::filesystem;

class HistoryFile : public testing::Test {
 protected:
  std::unique_ptr<History> Open(bool on = true) {
    auto history = History::Open(path_, {.on = on, .hours = 24, .clock = &clock_});
    EXPECT_TRUE(history) << history.error().what;
    return history ? *std::move(history) : nullptr;
  }
  HistoryEntry Entry(UtteranceId utterance, const std::string& text) {
    return {.utterance = utterance, .at = clock_.WallNow(), .text = text};
  }
  // In how many files of the folder the text is.
  int Found(std::string_view text) const {
    int files = 0;
    for (const auto& file : fs::recursive_directory_iterator(folder_))
      if (file.is_regular_file())
        files += ReadFile(file.path()).value().find(text) != std::string::npos ? 1 : 0;
    return files;
  }

  const TempFolder folder_;
  const fs::path path_ = folder_ / "headroom/history.db";
  FakeClock clock_;
};

TEST_F(HistoryFile, KeepsTextsWithWhatIsKnownOfThem) {
  auto history = Open();
  HistoryEntry entry = Entry(7, "schöne Grüße\nund \"mehr\"");
  entry.arrival = Arrival::kUndelivered;
  entry.why = "xdotool: no window";
  entry.target = "type";
  entry.tier = "whisper-base:Q8_0@cpu";
  entry.latency = Milliseconds(431);
  entry.gap = Milliseconds(5000);
  const auto id = history->Add(entry);
  ASSERT_TRUE(id) << id.error().what;
  ASSERT_TRUE(history->Add(Entry(8, "second")));
  history = Open();
  const auto found = history->Find(*id).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->utterance, 7U);
  EXPECT_EQ(found->at, entry.at);
  EXPECT_EQ(found->text, entry.text);
  EXPECT_EQ(found->arrival, Arrival::kUndelivered);
  EXPECT_EQ(found->why, entry.why);
  EXPECT_EQ(found->target, "type");
  EXPECT_EQ(found->tier, entry.tier);
  EXPECT_EQ(found->latency, entry.latency);
  EXPECT_EQ(found->gap, entry.gap);
  EXPECT_EQ(history->LastUndelivered().value()->id, *id);
  ASSERT_TRUE(history->SetArrival(*id, Arrival::kDelivered, ""));
  EXPECT_FALSE(history->LastUndelivered().value());
  EXPECT_EQ(history->SetArrival(99, Arrival::kDelivered, "").error().code, Errc::kNotFound);
  EXPECT_FALSE(history->Find(99).value());
  EXPECT_FALSE(history->Find(*id + 1).value()->latency);
}

TEST_F(HistoryFile, NewestFirstAndPageByPage) {
  const auto history = Open();
  for (UtteranceId i = 1; i <= 10; ++i)
    ASSERT_TRUE(history->Add(Entry(i, "text " + std::to_string(i))));
  const auto first = history->Last(4).value();
  ASSERT_EQ(first.size(), 4U);
  EXPECT_EQ(first[0].text, "text 10");
  const auto next = history->Last(100, first.back().id).value();
  ASSERT_EQ(next.size(), 6U);
  EXPECT_EQ(next[0].text, "text 6");
  EXPECT_TRUE(history->Last(0).value().empty());
}

TEST_F(HistoryFile, AnUtteranceIsThereOnce) {
  const auto history = Open();
  HistoryEntry entry = Entry(7, "offered");
  entry.arrival = Arrival::kUncertain;
  ASSERT_TRUE(history->Add(entry));
  entry.arrival = Arrival::kUndelivered;
  ASSERT_TRUE(history->Add(entry));
  const auto all = history->Last(10).value();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].arrival, Arrival::kUndelivered);
}

TEST_F(HistoryFile, IsPrivate) {
  const auto old = ::umask(0);
  const auto history = Open();
  ASSERT_TRUE(history->Add(Entry(1, "x")));
  ::umask(old);
  for (const auto& file : fs::recursive_directory_iterator(folder_)) {
    struct stat info{};
    ASSERT_EQ(::stat(file.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0077, 0U) << file.path();
  }
}

TEST_F(HistoryFile, WhatIsDeletedLeavesNoBytes) {
  std::mt19937 random(3);
  auto history = Open();
  const auto marker = [](UtteranceId i) { return fmt::format("MARKER{}END", i); };
  std::vector<std::int64_t> ids;
  for (UtteranceId i = 1; i <= 60; ++i) {
    const auto padding = std::string(random() % 3000, 'x');
    ids.push_back(history->Add(Entry(i, marker(i) + padding + marker(i))).value());
    if (i == 40) clock_.Advance(std::chrono::hours(20));
  }
  // Some one by one, half by their age.
  std::vector<bool> gone(61);
  for (const UtteranceId i : {5U, 17U, 50U, 59U}) {
    ASSERT_EQ(Found(marker(i)), 1);
    ASSERT_TRUE(history->Forget(ids[i - 1]));
    gone[i] = true;
  }
  clock_.Advance(std::chrono::hours(5));
  EXPECT_EQ(history->Expire().value(), 38);
  for (UtteranceId i = 1; i <= 40; ++i) gone[i] = true;
  std::string bytes;
  for (const auto& file : fs::recursive_directory_iterator(folder_))
    if (file.is_regular_file()) bytes += ReadFile(file.path()).value();
  for (UtteranceId i = 1; i <= 60; ++i)
    EXPECT_EQ(bytes.find(marker(i)) != std::string::npos, !gone[i]) << i;
  EXPECT_EQ(history->Last(1000).value().size(), 18U);
  ASSERT_TRUE(history->Clear());
  EXPECT_EQ(Found("MARKER"), 0);
  EXPECT_EQ(history->Forget(ids[0]).error().code, Errc::kNotFound);
}

TEST_F(HistoryFile, OpeningExpires) {
  ASSERT_TRUE(Open()->Add(Entry(1, "MARKER")));
  clock_.Advance(std::chrono::hours(23));
  EXPECT_EQ(Open()->Last(10).value().size(), 1U);
  clock_.Advance(std::chrono::hours(2));
  EXPECT_TRUE(Open()->Last(10).value().empty());
  EXPECT_EQ(Found("MARKER"), 0);
}

TEST_F(HistoryFile, AClockThatWasWrongDoesNotKeepTextsForEver) {
  const auto history = Open();
  clock_.JumpWall(std::chrono::hours(24 * 365));
  ASSERT_TRUE(history->Add(Entry(1, "from the future")));
  clock_.JumpWall(-std::chrono::hours(24 * 365));
  EXPECT_EQ(history->Expire().value(), 1);
}

TEST_F(HistoryFile, SwitchedOffNothingIsOnDiskAndWhatDidNotArriveIsInMemory) {
  ASSERT_TRUE(Open()->Add(Entry(1, "MARKER")));
  ASSERT_EQ(Found("MARKER"), 1);
  const auto history = Open(false);
  EXPECT_EQ(Found("MARKER"), 0);
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_EQ(history->Add(Entry(2, "arrived")).value(), 0);
  HistoryEntry lost = Entry(3, "LOST");
  lost.arrival = Arrival::kUndelivered;
  const auto id = history->Add(lost).value();
  EXPECT_EQ(Found("LOST"), 0);
  ASSERT_EQ(history->Last(10).value().size(), 1U);
  ASSERT_TRUE(history->SetArrival(id, Arrival::kDelivered, ""));
  EXPECT_TRUE(history->Last(10).value().empty());
  for (UtteranceId i = 10; i < 250; ++i) {
    lost.utterance = i;
    ASSERT_TRUE(history->Add(lost));
  }
  EXPECT_EQ(history->Last(1000).value().size(), 100U);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(HistoryFile, DamageIsSetAsideAndExpiresToo) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Open()->Add(Entry(static_cast<UtteranceId>(i), "x")));
  const auto whole = ReadFile(path_).value();
  // Not a database, and one with damage inside.
  std::string damaged = whole;
  std::fill(damaged.begin() + 4096, damaged.end(), '\x55');
  for (const std::string& bytes : {std::string(5000, 'a'), damaged}) {
    ASSERT_TRUE(WriteFileAtomic(path_, bytes));
    auto history = Open();
    ASSERT_TRUE(history);
    EXPECT_EQ(history->set_aside(), path_.string() + ".damaged");
    EXPECT_EQ(ReadFile(history->set_aside()).value(), bytes);
    ASSERT_TRUE(history->Add(Entry(9, "goes on")));
    clock_.Advance(std::chrono::hours(23));
    ASSERT_TRUE(history->Expire());
    EXPECT_TRUE(fs::exists(history->set_aside()));
    clock_.Advance(std::chrono::hours(2));
    ASSERT_TRUE(history->Expire());
    EXPECT_FALSE(fs::exists(history->set_aside()));
  }
}

TEST_F(HistoryFile, AnyTruncationIsOpenedOrSetAside) {
  for (UtteranceId i = 1; i < 6; ++i) ASSERT_TRUE(Open()->Add(Entry(i, std::string(4000, 'x'))));
  const auto whole = ReadFile(path_).value();
  for (std::size_t length = 0; length < whole.size(); length += 2371) {
    ASSERT_TRUE(WriteFileAtomic(path_, whole.substr(0, length)));
    auto history = Open();
    ASSERT_TRUE(history) << length;
    ASSERT_TRUE(history->Add(Entry(99, "goes on"))) << length;
  }
}

TEST_F(HistoryFile, ALaterVersionIsLeftAlone) {
  Open().reset();
  {
    auto later = sql::Database::Open(path_, sql::Access::kReadWrite).value();
    ASSERT_TRUE(later.Run("PRAGMA user_version = 2"));
  }
  const auto history = History::Open(path_, {.clock = &clock_});
  ASSERT_FALSE(history);
  EXPECT_EQ(history.error().code, Errc::kUnsupported);
}

}  // namespace
}  // namespace headroom::speech
