#include "speech/spool/spool.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/testing/temp_folder.h"
#include "speech/testing/fake_disk.h"

namespace headroom::speech {
namespace {

namespace fs = std::filesystem;

const SpoolOptions kSmall{.size = KiB(256)};  // 64 slots

std::vector<float> Sound(std::int64_t samples, int seed) {
  std::vector<float> sound;
  for (std::int64_t i = 0; i < samples; ++i)
    sound.push_back(static_cast<float>((i * 7 + seed * 131) % 65'536 - 32'768) / 32'768.0F);
  return sound;
}

std::unique_ptr<Spool> Reopen(FakeDisk& disk, const SpoolOptions& options = kSmall) {
  auto spool = Spool::Over(std::make_unique<FakeFile>(disk), options);
  EXPECT_TRUE(spool) << spool.error().what;
  return spool ? *std::move(spool) : nullptr;
}

UtteranceId Spoken(Spool& spool, std::int64_t samples, int seed) {
  const UtteranceId id = spool.Begin({.session = 1, .began = {}, .language = "de"}).value();
  EXPECT_TRUE(spool.Append(id, Sound(samples, seed)));
  EXPECT_TRUE(spool.End(id, samples));
  return id;
}

bool Contains(std::span<const std::byte> bytes, std::string_view marker) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text.find(marker) != std::string_view::npos;
}

bool BlankButForTheHeaders(const FakeDisk& disk) {
  return IsBlank(std::span(disk.bytes).subspan(kHeaderSlots * kSlotBytes));
}

TEST(Spool, AnUtteranceFromTheFirstSampleToItsDelivery) {
  FakeDisk disk;
  const auto spool = Reopen(disk);
  const Milliseconds empty = spool->free();
  EXPECT_GT(empty, Milliseconds(6000));
  const WallTime began{Milliseconds(1'700'000'000'000)};
  const UtteranceId id = spool->Begin({.session = 7, .began = began, .language = "en"}).value();
  const auto sound = Sound(10'000, 1);
  ASSERT_TRUE(spool->Append(id, std::span(sound).first(4000)));
  ASSERT_TRUE(spool->Append(id, std::span(sound).subspan(4000, 4000)));
  ASSERT_TRUE(spool->Append(id, std::span(sound).subspan(8000)));
  EXPECT_LT(spool->free(), empty);
  ASSERT_EQ(spool->pending().size(), 1U);
  EXPECT_EQ(spool->pending()[0].state, SpoolState::kOpen);
  ASSERT_TRUE(spool->End(id, 9000));
  const auto pending = spool->pending()[0];
  EXPECT_EQ(pending.id, id);
  EXPECT_EQ(pending.state, SpoolState::kSpooled);
  EXPECT_EQ(pending.samples, 9000);
  EXPECT_EQ(pending.head.session, 7U);
  EXPECT_EQ(pending.head.began, began);
  EXPECT_EQ(pending.head.language, "en");
  EXPECT_FALSE(pending.gap);
  EXPECT_EQ(spool->Audio(id).value(), Sound(9000, 1));
  ASSERT_TRUE(spool->SetDecoded(id, "four score"));
  EXPECT_EQ(spool->pending()[0].text, "four score");
  ASSERT_TRUE(spool->SetOffered(id));
  EXPECT_EQ(spool->pending()[0].state, SpoolState::kOffered);
  ASSERT_TRUE(spool->SetDelivered(id));
  EXPECT_TRUE(spool->pending().empty());
  EXPECT_EQ(spool->Audio(id).error().code, Errc::kNotFound);
  EXPECT_EQ(spool->free(), empty);
  EXPECT_TRUE(BlankButForTheHeaders(disk));
}

TEST(Spool, EachStateOutlivesThePower) {
  FakeDisk disk;
  std::mt19937 random(1);
  auto spool = Reopen(disk);
  FakeClock clock;
  SpoolOptions options = kSmall;
  options.clock = &clock;
  spool = Reopen(disk, options);
  const auto spooled = Spoken(*spool, 3000, 1);
  const auto decoded = Spoken(*spool, 3000, 2);
  const auto offered = Spoken(*spool, 3000, 3);
  const std::string text(10'000, 'x');
  ASSERT_TRUE(spool->SetDecoded(decoded, text));
  ASSERT_TRUE(spool->SetDecoded(offered, "offered"));
  ASSERT_TRUE(spool->SetOffered(offered));
  const auto open = spool->Begin({.session = 1, .began = {}, .language = "en"}).value();
  ASSERT_TRUE(spool->Append(open, Sound(4000, 4)));
  const WallTime last = clock.WallNow();
  disk.CutPower(random);
  clock.Advance(Milliseconds(5000));
  clock.JumpWall(-Milliseconds(24 * 3600 * 1000));

  spool = Reopen(disk, options);
  EXPECT_EQ(spool->repair().cut, 1);
  const auto pending = spool->pending();
  ASSERT_EQ(pending.size(), 4U);
  EXPECT_EQ(pending[0].id, spooled);
  EXPECT_EQ(pending[0].state, SpoolState::kSpooled);
  EXPECT_EQ(pending[0].head.language, "de");
  EXPECT_EQ(pending[1].state, SpoolState::kDecoded);
  EXPECT_EQ(pending[1].text, text);
  EXPECT_EQ(pending[2].state, SpoolState::kOffered);
  EXPECT_EQ(pending[2].text, "offered");
  EXPECT_EQ(pending[3].id, open);
  EXPECT_EQ(pending[3].state, SpoolState::kSpooled);
  EXPECT_EQ(pending[3].samples, 4000);
  ASSERT_TRUE(pending[3].gap);
  EXPECT_EQ(pending[3].gap->from, last);
  EXPECT_EQ(pending[3].gap->until, clock.WallNow());
  EXPECT_EQ(spool->Audio(open).value(), Sound(4000, 4));
  EXPECT_FALSE(pending[0].gap);

  // The gap is remembered, ids are not used again, and everything can still be delivered.
  spool = Reopen(disk, options);
  EXPECT_EQ(spool->repair().cut, 0);
  ASSERT_EQ(spool->pending().size(), 4U);
  EXPECT_EQ(spool->pending()[3].gap->from, last);
  EXPECT_GT(Spoken(*spool, 100, 5), open);
  for (const Pending& each : spool->pending()) ASSERT_TRUE(spool->SetDelivered(each.id));
  EXPECT_TRUE(BlankButForTheHeaders(disk));
}

TEST(Spool, IdsAreNotUsedAgainWhenNothingIsLeft) {
  FakeDisk disk;
  auto spool = Reopen(disk);
  const auto first = Spoken(*spool, 100, 1);
  ASSERT_TRUE(spool->SetDelivered(first));
  spool = Reopen(disk);
  EXPECT_GT(Spoken(*spool, 100, 1), first);
}

TEST(Spool, AFullOneSaysSoAndWhatIsInItCanStillBeDelivered) {
  FakeDisk disk;
  const auto spool = Reopen(disk);
  std::vector<UtteranceId> ids;
  Milliseconds kept{0};
  const Milliseconds promised = spool->free();
  Result<> full;
  while (full) {
    const UtteranceId id = ids.emplace_back(spool->Begin({}).value());
    for (int i = 0; i < 4 && full; ++i) {
      const Milliseconds before = spool->free();
      full = spool->Append(id, Sound(4000, 1));
      if (full) kept += Milliseconds(250);
      if (before >= Milliseconds(250)) {
        EXPECT_TRUE(full) << "free() promised " << before.count();
      }
    }
    ASSERT_TRUE(spool->End(id, 4000 * (full ? 4 : 0)));
  }
  EXPECT_EQ(full.error().code, Errc::kNoSpace) << full.error().what;
  EXPECT_GT(kept, promised * 2 / 3);
  for (const UtteranceId id : ids) ASSERT_TRUE(spool->SetDecoded(id, "text"));
  // All of them are offered, as far as there is room, and none is stuck.
  int offered = 0;
  for (const UtteranceId id : ids) offered += spool->SetOffered(id) ? 1 : 0;
  EXPECT_GE(offered, 1);
  for (const UtteranceId id : ids) ASSERT_TRUE(spool->SetDelivered(id));
  EXPECT_TRUE(BlankButForTheHeaders(disk));
  EXPECT_EQ(spool->free(), promised);
}

TEST(Spool, ALostUtteranceDoesNotBlockTheRing) {
  FakeDisk disk;
  const auto spool = Reopen(disk);
  const auto stuck = Spoken(*spool, 4000, 99);
  for (int i = 0; i < 200; ++i) {
    const auto id = Spoken(*spool, 16'000, i);
    ASSERT_EQ(spool->Audio(id).value(), Sound(16'000, i));
    ASSERT_TRUE(spool->SetDelivered(id));
  }
  EXPECT_EQ(spool->Audio(stuck).value(), Sound(4000, 99));
}

TEST(Spool, KeptAudioIsThereUntilTheSpaceIsNeeded) {
  FakeDisk disk;
  SpoolOptions keep = kSmall;
  keep.keep = true;
  auto spool = Reopen(disk, keep);
  const Milliseconds empty = spool->free();
  const auto first = Spoken(*spool, 4000, 1);
  ASSERT_TRUE(spool->SetDecoded(first, "MARKER"));
  ASSERT_TRUE(spool->SetDelivered(first));
  EXPECT_TRUE(spool->pending().empty());
  EXPECT_EQ(spool->free(), empty);
  EXPECT_TRUE(Contains(disk.bytes, "MARKER"));
  spool = Reopen(disk, keep);
  EXPECT_TRUE(spool->pending().empty());
  EXPECT_TRUE(Contains(disk.bytes, "MARKER"));
  for (int i = 0; i < 30; ++i) {
    const auto id = Spoken(*spool, 16'000, i);
    ASSERT_TRUE(spool->SetDecoded(id, "other"));
    ASSERT_TRUE(spool->SetDelivered(id));
  }
  EXPECT_FALSE(Contains(disk.bytes, "MARKER"));
  const auto discarded = Spoken(*spool, 4000, 1);
  ASSERT_TRUE(spool->SetDecoded(discarded, "PRIVATE"));
  ASSERT_TRUE(spool->Discard(discarded));
  EXPECT_FALSE(Contains(disk.bytes, "PRIVATE"));
  // With `keep` switched off, nothing of it is left.
  spool = Reopen(disk, kSmall);
  EXPECT_TRUE(BlankButForTheHeaders(disk));
}

TEST(Spool, WhatCannotBeIsRefused) {
  FakeDisk disk;
  const auto spool = Reopen(disk);
  EXPECT_EQ(spool->Append(42, Sound(1, 1)).error().code, Errc::kNotFound);
  const auto id = spool->Begin({}).value();
  ASSERT_TRUE(spool->Append(id, Sound(100, 1)));
  EXPECT_EQ(spool->SetDecoded(id, "x").error().code, Errc::kInvalid);
  EXPECT_EQ(spool->SetDelivered(id).error().code, Errc::kInvalid);
  EXPECT_EQ(spool->End(id, 101).error().code, Errc::kInvalid);
  EXPECT_EQ(spool->End(id, -1).error().code, Errc::kInvalid);
  ASSERT_TRUE(spool->End(id, 100));
  EXPECT_EQ(spool->End(id, 100).error().code, Errc::kInvalid);
  EXPECT_EQ(spool->Append(id, Sound(1, 1)).error().code, Errc::kInvalid);
  ASSERT_TRUE(spool->SetDecoded(id, "x"));
  EXPECT_EQ(spool->SetDecoded(id, "y").error().code, Errc::kInvalid);
  ASSERT_TRUE(spool->SetOffered(id));
  EXPECT_EQ(spool->SetOffered(id).error().code, Errc::kInvalid);
  const auto open = spool->Begin({}).value();
  EXPECT_TRUE(spool->Discard(open));
  EXPECT_EQ(spool->Discard(open).error().code, Errc::kNotFound);
}

TEST(Spool, SamplesAreRoundedAndClipped) {
  FakeDisk disk;
  const auto spool = Reopen(disk);
  const auto id = spool->Begin({}).value();
  const float samples[] = {0, 1, -1, 2, -16, 0.25F, 0.4F / 32'768, -0.6F / 32'768};
  ASSERT_TRUE(spool->Append(id, samples));
  const std::vector<float> expected = {0, 32'767.0F / 32'768, -1, 32'767.0F / 32'768, -1, 0.25F,
                                       0, -1.0F / 32'768};
  EXPECT_EQ(spool->Audio(id).value(), expected);
}

TEST(Spool, AFailedWriteCostsItsPieceOnly) {
  FakeDisk disk;
  const auto spool = Reopen(disk);
  const auto id = spool->Begin({}).value();
  ASSERT_TRUE(spool->Append(id, Sound(2000, 1)));
  disk.fail_once_at = disk.operations + 1;
  disk.failure = Errc::kNoSpace;
  EXPECT_EQ(spool->Append(id, Sound(2000, 1)).error().code, Errc::kNoSpace);
  ASSERT_TRUE(spool->Append(id, Sound(2000, 3)));
  ASSERT_TRUE(spool->End(id, 6000));
  const auto check = [&](const Spool& any) {
    const auto audio = any.Audio(id).value();
    ASSERT_EQ(audio.size(), 6000U);
    const auto whole = std::span(audio);
    EXPECT_TRUE(std::ranges::equal(whole.first(2000), Sound(2000, 1)));
    EXPECT_TRUE(std::ranges::equal(whole.subspan(2000, 2000), std::vector<float>(2000)));
    EXPECT_TRUE(std::ranges::equal(whole.last(2000), Sound(2000, 3)));
  };
  check(*spool);
  check(*Reopen(disk));
}

TEST(Spool, AnotherSizeTakesWhatIsThereAlong) {
  FakeDisk disk;
  auto spool = Reopen(disk, {.size = MiB(1)});
  std::vector<UtteranceId> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(Spoken(*spool, 16'000, i));
  spool = Reopen(disk, kSmall);
  EXPECT_GT(disk.bytes.size(), 256U << 10) << "what is not delivered stays";
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(spool->Audio(ids[static_cast<std::size_t>(i)]).value(), Sound(16'000, i));
  for (const UtteranceId id : ids) ASSERT_TRUE(spool->SetDelivered(id));
  spool = Reopen(disk, kSmall);
  EXPECT_EQ(disk.bytes.size(), 256U << 10);
  spool = Reopen(disk, {.size = MiB(2)});
  EXPECT_EQ(disk.bytes.size(), 2U << 20);
}

TEST(Spool, NoRoomForTheFileIsSaid) {
  FakeDisk disk;
  disk.room = 1000;
  const auto spool = Spool::Over(std::make_unique<FakeFile>(disk), kSmall);
  ASSERT_FALSE(spool);
  EXPECT_EQ(spool.error().code, Errc::kNoSpace);
}

// --- Real files. ---

class SpoolFile : public testing::Test {
 protected:
  static std::string ErrorOf(const Result<std::unique_ptr<Spool>>& spool, Errc code) {
    EXPECT_FALSE(spool);
    if (spool) return "";
    EXPECT_EQ(spool.error().code, code) << spool.error().what;
    EXPECT_EQ(spool.error().what.find('\n'), std::string::npos);
    return spool.error().what;
  }

  const TempFolder folder_;
  const fs::path path_ = folder_ / "state/headroom/spool";
};

TEST_F(SpoolFile, IsPrivateAndReservedAsAWhole) {
  const auto old = ::umask(0);
  const auto spool = Spool::Open(path_, kSmall);
  ::umask(old);
  ASSERT_TRUE(spool) << spool.error().what;
  EXPECT_TRUE((*spool)->repair().created);
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(info.st_size, 256 << 10);
  EXPECT_GE(info.st_blocks * 512, 256 << 10);
  ASSERT_EQ(::stat(path_.parent_path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST_F(SpoolFile, TwoProgramsCannotHaveIt) {
  auto spool = Spool::Open(path_, kSmall);
  ASSERT_TRUE(spool);
  EXPECT_NE(ErrorOf(Spool::Open(path_, kSmall), Errc::kBusy).find("in use"), std::string::npos);
  spool->reset();
  EXPECT_TRUE(Spool::Open(path_, kSmall));
}

TEST_F(SpoolFile, AfterDeliveryNoByteOfItIsInTheFolder) {
  auto spool = Spool::Open(path_, kSmall);
  ASSERT_TRUE(spool);
  const std::string words = "the marked sentence";
  std::vector<float> marked;  // PCM that reads as text
  for (std::size_t i = 0; i < 4000; i += 1) {
    const char pair[] = {words[2 * i % words.size()], words[(2 * i + 1) % words.size()]};
    std::int16_t value = 0;
    std::memcpy(&value, pair, 2);
    marked.push_back(static_cast<float>(value) / 32'768.0F);
  }
  const auto id = (*spool)->Begin({}).value();
  ASSERT_TRUE((*spool)->Append(id, marked));
  ASSERT_TRUE((*spool)->End(id, 4000));
  ASSERT_TRUE((*spool)->SetDecoded(id, words + " as text"));
  ASSERT_TRUE((*spool)->SetOffered(id));
  const auto found = [&](std::string_view marker) {
    int files = 0;
    for (const auto& file : fs::recursive_directory_iterator(folder_)) {
      if (!file.is_regular_file()) continue;
      files += ReadFile(file.path()).value().find(marker) != std::string::npos ? 1 : 0;
    }
    return files;
  };
  ASSERT_EQ(found("the marked sentencethe marked"), 1) << "the PCM must be there first";
  ASSERT_EQ(found("sentence as text"), 1);
  ASSERT_TRUE((*spool)->SetDelivered(id));
  EXPECT_EQ(found("marked"), 0);
  spool->reset();
  ASSERT_TRUE(Spool::Open(path_, kSmall));
  EXPECT_EQ(found("marked"), 0);
}

TEST_F(SpoolFile, ForeignOrOfAnotherVersionIsLeftAlone) {
  fs::create_directories(path_.parent_path());
  const std::string text(20'000, 'a');
  ASSERT_TRUE(WriteFileAtomic(path_, text));
  EXPECT_NE(ErrorOf(Spool::Open(path_, kSmall), Errc::kInvalid).find("not a spool"),
            std::string::npos);
  EXPECT_EQ(ReadFile(path_).value(), text);

  const SlotBytes newer = Encode(SpoolHeader{.version = 2});
  ASSERT_TRUE(WriteFileAtomic(path_, {reinterpret_cast<const char*>(newer.data()), newer.size()}));
  EXPECT_NE(ErrorOf(Spool::Open(path_, kSmall), Errc::kUnsupported).find("version"),
            std::string::npos);
  EXPECT_EQ(fs::file_size(path_), newer.size());

  fs::remove(path_);
  fs::create_directory(path_);
  EXPECT_FALSE(Spool::Open(path_, kSmall));
  fs::remove(path_);
  fs::create_symlink(folder_ / "elsewhere", path_);
  EXPECT_FALSE(Spool::Open(path_, kSmall));
  EXPECT_FALSE(fs::exists(folder_ / "elsewhere"));
}

TEST_F(SpoolFile, OneThatIsBeyondReadingIsSetAside) {
  fs::create_directories(path_.parent_path());
  std::string damaged("HEADROOM SPOOL\n", 16);  // with its NUL
  ASSERT_TRUE(WriteFileAtomic(path_, damaged.append(5000, 'x')));
  const auto spool = Spool::Open(path_, kSmall);
  ASSERT_TRUE(spool) << spool.error().what;
  EXPECT_EQ((*spool)->repair().set_aside, path_.string() + ".damaged");
  EXPECT_TRUE(fs::exists(path_.string() + ".damaged"));
  Spoken(**spool, 100, 1);
}

TEST_F(SpoolFile, ReadOnlyPlacesAreSaid) {
  const auto spool = Spool::Open("/proc/self/spool", kSmall);
  ASSERT_FALSE(spool);
  EXPECT_NE(spool.error().what.find("/proc/self/spool"), std::string::npos) << spool.error().what;
}

// A limit on the size of files stands for a full disk.
TEST_F(SpoolFile, WithoutSpaceItIsAnErrorThatNamesTheSizeAndNothingIsLeft) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const auto spool = Spool::Open(path_, kSmall);
    const bool said = !spool && spool.error().code == Errc::kNoSpace &&
                      spool.error().what.find("256.0 KiB") != std::string::npos;
    ::_exit(said && fs::file_size(path_) == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Spool::Open(path_, kSmall));
}

}  // namespace
}  // namespace headroom::speech
