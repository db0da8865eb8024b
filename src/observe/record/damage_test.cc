// A flight record cut at every page, and with flipped bytes: what is whole is read, nothing
// crashes, and a writer goes on.
#include <gmock/gmock.h>

#include <fstream>

#include "base/file.h"
#include "observe/record/reader.h"
#include "observe/record/schema.h"
#include "observe/record/writer.h"
#include "observe/testing/record_fixture.h"

namespace headroom::record {
namespace {

namespace fs = std::filesystem;

class Damage : public testing::Test {
 protected:
  static constexpr int kSamples = 600;

  void SetUp() override {
    {
      auto writer = Writer::Open(OptionsFor(path_));
      for (int i = 0; i < kSamples; ++i) {
        (*writer)->Add(SampleAt(i * 1000, MiB(i * 37 % 4000)));
        if (i % 10 == 0) (*writer)->Note(ErrorEvent(AtMs(i * 1000), "sticky", 719, "worker"));
      }
      ASSERT_TRUE((*writer)->Flush());
    }
    bytes_ = *ReadFile(path_);
    ASSERT_GT(bytes_.size(), 60'000u);
    fs::remove(path_);
  }

  void Put(std::string_view bytes) {
    for (const auto& entry : fs::directory_iterator(folder_.path())) fs::remove(entry);
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  // How many samples can be read; -1: not recognised.
  int Read() {
    auto reader = Reader::Open({path_});
    if (!reader) return -1;
    int samples = 0, all = 0;
    while (const auto entry = (*reader)->Next()) {
      if (std::holds_alternative<Sample>(entry->what)) ++samples;
      if (++all > 10 * kSamples) ADD_FAILURE() << "it does not end";
      if (all > 10 * kSamples) break;
    }
    return samples;
  }
  // A writer can go on: in this file, or in a new one with this set aside.
  void Write() {
    {
      auto writer = Writer::Open(OptionsFor(path_));
      ASSERT_TRUE(writer);
      (*writer)->Add(SampleAt(1'000'000));
      ASSERT_TRUE((*writer)->Flush());
      const WriterStatus status = (*writer)->status();
      if (status.code == Errc::kUnsupported) return;  // looks like another program's file
      if (!status.recording) {  // found damaged while writing: the next attempt sets it aside
        ASSERT_EQ(status.code, Errc::kCorrupt) << status.trouble;
        return;
      }
    }
    EXPECT_GE(Read(), 1);
  }

  Folder folder_;
  fs::path path_ = folder_.path() / "r.db";
  std::string bytes_;
};

TEST_F(Damage, CutAtEveryPage) {
  int most = 0;
  for (std::size_t size = 0; size < bytes_.size(); size += 4096) {
    Put(std::string_view(bytes_).substr(0, size));
    most = std::max(most, Read());
    if (size % (5 * 4096) == 0) Write();
  }
  EXPECT_GT(most, kSamples / 3) << "the pages before the cut can be read";
  Put(bytes_);
  EXPECT_EQ(Read(), kSamples);
}

TEST_F(Damage, BytesFlipped) {
  int readable = 0, rounds = 0;
  for (std::size_t at = 0; at < bytes_.size(); at += at < 200 ? 1 : 211) {
    std::string flipped = bytes_;
    flipped[at] = static_cast<char>(flipped[at] ^ 0xFF);
    Put(flipped);
    const int read = Read();
    ++rounds;
    readable += read > kSamples / 2 ? 1 : 0;
    if (rounds % 40 == 0) Write();
  }
  EXPECT_GT(readable, rounds * 7 / 10) << "of " << rounds;
}

TEST_F(Damage, APageOfNoiseCostsOnlyItself) {
  int readable = 0, pages = 0;
  for (std::size_t at = 4096; at + 4096 <= bytes_.size(); at += 4096) {
    std::string noisy = bytes_;
    for (std::size_t i = 0; i < 4096; ++i) noisy[at + i] = static_cast<char>(i * 131 + at);
    Put(noisy);
    ++pages;
    readable += Read() > kSamples / 2 ? 1 : 0;
  }
  EXPECT_GT(readable, pages / 2) << "of " << pages;
}

TEST_F(Damage, IsSetAsideAndToldAndStillReadable) {
  std::string noisy = bytes_;
  for (std::size_t i = bytes_.size() / 2; i < bytes_.size() / 2 + 9000; ++i) noisy[i] = '\xA5';
  Put(noisy);
  {
    auto writer = Writer::Open(OptionsFor(path_));
    ASSERT_TRUE(writer);
    (*writer)->Add(SampleAt(2'000'000));
    ASSERT_TRUE((*writer)->Flush());
    EXPECT_TRUE((*writer)->status().recording);
    EXPECT_EQ((*writer)->status().set_aside, 1);
  }
  EXPECT_EQ(*ReadFile(path_.string() + ".damaged-1"), noisy);
  const auto files = WithDamaged(path_);
  EXPECT_THAT(files, testing::ElementsAre(path_.string() + ".damaged-1", path_));
  auto reader = Reader::Open(files);
  ASSERT_TRUE(reader) << reader.error().what;
  const auto all = All(**reader);
  EXPECT_GT(Samples(all).size(), 10u);
  EXPECT_EQ((*reader)->runs().size(), 2u);
  EXPECT_FALSE((*reader)->damage().empty());
  bool reported = false;
  for (const Event& event : Events(all))
    reported = reported || event.Text(Key::kStep) == "set_aside";
  EXPECT_TRUE(reported);
}

// What a power loss leaves: the file as of the last checkpoint and a -wal that ends anywhere.
TEST_F(Damage, AWalThatEndsAnywhere) {
  const Folder other;
  const fs::path path = other.path() / "w.db";
  std::string main, wal;
  {
    auto writer = Writer::Open(OptionsFor(path));
    for (int i = 0; i < 40; ++i) {
      (*writer)->Add(SampleAt(i * 1000, MiB(i * 37 % 4000)));
      ASSERT_TRUE((*writer)->Flush());
    }
    main = *ReadFile(path), wal = *ReadFile(path.string() + "-wal");
  }
  int last = -1;
  for (std::size_t size = 0; size <= wal.size(); size += 1777) {
    Put(main);
    std::ofstream(path_.string() + "-wal", std::ios::binary) << wal.substr(0, size);
    const int read = Read();
    EXPECT_GE(read, last) << size;  // a prefix, never less for more
    last = std::max(last, read);
    if (read >= 0 && size % (8 * 1777) == 0) Write();
  }
  EXPECT_GT(last, 30);
}

}  // namespace
}  // namespace headroom::record
