#include "observe/record/writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/file.h"
#include "base/testing/eventually.h"
#include "observe/record/reader.h"
#include "observe/testing/record_fixture.h"

namespace headroom::record {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::vector<Entry> ReadAll(const fs::path& path, ReadOptions options = {}) {
  auto reader = Reader::Open({path}, options);
  EXPECT_TRUE(reader) << reader.error().what;
  if (!reader) return {};
  std::vector<Entry> all = All(**reader);
  EXPECT_THAT((*reader)->damage(), testing::IsEmpty());
  for (Entry& entry : all) entry.run = nullptr;  // goes with the reader
  return all;
}

TEST(WriterTest, ASecondWriterIsAClearErrorAndTheFirstGoesOn) {
  const Folder folder;
  const fs::path path = folder.path() / "r.db";
  auto first = Writer::Open(OptionsFor(path));
  ASSERT_TRUE(first);
  const auto second = Writer::Open(OptionsFor(path));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kBusy);
  EXPECT_THAT(second.error().what, HasSubstr("another headroom process writes"));
  (*first)->Add(SampleAt(0));
  ASSERT_TRUE((*first)->Flush());
  EXPECT_TRUE((*first)->status().recording);
  first->reset();
  EXPECT_TRUE(Writer::Open(OptionsFor(path)));
}

TEST(WriterTest, ReadersSeeWhatIsCommittedWhileItWrites) {
  const Folder folder;
  auto writer = Writer::Open(OptionsFor(folder.path() / "r.db"));
  (*writer)->Add(SampleAt(0));
  ASSERT_TRUE((*writer)->Flush());
  auto reader = Reader::Open({folder.path() / "r.db"}, {.from = {}, .to = {}, .holds = false});
  ASSERT_TRUE(reader) << reader.error().what;
  EXPECT_EQ(All(**reader).size(), 1u);
  (*writer)->Add(SampleAt(1'000, MiB(100)));
  (*writer)->Note(Event{EventKind::kMark, AtMs(1'500), {}});
  ASSERT_TRUE((*writer)->Flush());
  const auto more = All(**reader);
  ASSERT_EQ(more.size(), 2u);
  EXPECT_EQ(std::get<Sample>(more[0].what).gpus[0].used, MiB(100));
  EXPECT_EQ(std::get<Sample>(more[0].what).processes.size(), 2u);
}

TEST(WriterTest, OrderAndRangeAndGaps) {
  const Folder folder;
  const fs::path path = folder.path() / "r.db";
  {
    auto writer = Writer::Open(OptionsFor(path));
    for (std::int64_t s = 0; s <= 60; s += 2) (*writer)->Add(SampleAt(s * 1000));
    // Nothing for ten minutes, then again.
    for (std::int64_t s = 660; s <= 720; s += 2) (*writer)->Add(SampleAt(s * 1000));
    (*writer)->Note(Event{EventKind::kMark, AtMs(30'000), {}});
    ASSERT_TRUE((*writer)->Flush());
  }
  Milliseconds known{};
  MonoTime last{};
  for (const Entry& entry : ReadAll(path)) {
    const auto* sample = std::get_if<Sample>(&entry.what);
    const MonoTime at = sample ? sample->at.mono : std::get<Event>(entry.what).at.mono;
    EXPECT_GE(at, last);
    last = at;
    if (sample) known += sample->holds;
  }
  // 0…60 and 15 s that the heartbeat promised; 660…720 and until the run's end, which was seen.
  EXPECT_GE(known, Milliseconds(135'000));
  EXPECT_LE(known, Milliseconds(150'000));

  const auto part =
      ReadAll(path, {.from = AtMs(30'500).wall, .to = AtMs(62'000).wall, .holds = true});
  ASSERT_FALSE(part.empty());
  const Sample& first = std::get<Sample>(part[0].what);
  EXPECT_GE(first.at.wall, AtMs(30'500).wall);
  EXPECT_EQ(first.gpus.size(), 1u) << "known from before the range";
}

TEST(WriterTest, AJumpOfTheWallClockIsTold) {
  const Folder folder;
  const fs::path path = folder.path() / "r.db";
  {
    auto writer = Writer::Open(OptionsFor(path));
    for (int s = 0; s < 10; ++s) {
      Sample sample = SampleAt(s * 1000, MiB(1000 + 100 * s));
      if (s >= 5) sample.at.wall -= std::chrono::hours(3);
      (*writer)->Add(sample);
    }
    ASSERT_TRUE((*writer)->Flush());
  }
  const auto all = ReadAll(path);
  EXPECT_EQ(Samples(all).size(), 10u);
  Milliseconds known{};
  for (const Sample& sample : Samples(all)) {
    if (sample.at.mono < AtMs(9'000).mono) known += sample.holds;
  }
  EXPECT_EQ(known, Milliseconds(9'000));
  const auto events = Events(all);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, EventKind::kClock);
  EXPECT_EQ(events[0].Integer(Key::kMs), -3 * 3'600'000);
}

TEST(WriterTest, ATriggerKeepsTheTenMinutesBefore) {
  const Folder folder;
  const fs::path path = folder.path() / "r.db";
  {
    auto writer = Writer::Open(OptionsFor(path));
    // Less than the dead-band, ten times a second, for a quarter of an hour.
    for (std::int64_t ms = 0; ms < 900'000; ms += 100) {
      (*writer)->Add(SampleAt(ms, MiB(3000) + KiB(ms / 100 % 1000)));
      if (ms % 60'000 == 0) {
        ASSERT_TRUE((*writer)->Flush());
      }
    }
    ASSERT_TRUE((*writer)->Flush());
    EXPECT_EQ((*writer)->status().dropped_samples, 0);
    EXPECT_LT((*writer)->status().rows, 300);
    (*writer)->Note(ErrorEvent(AtMs(900'000), "sticky", 719, "worker"));
    ASSERT_TRUE((*writer)->Flush());
    EXPECT_EQ((*writer)->status().kept, 1);
    // And half a minute after it.
    for (std::int64_t ms = 900'100; ms < 905'000; ms += 100)
      (*writer)->Add(SampleAt(ms, MiB(3000) + KiB(ms / 100 % 1000)));
    ASSERT_TRUE((*writer)->Flush());
    EXPECT_EQ((*writer)->status().kept, 1);
  }
  const auto all = ReadAll(path);
  int fine = 0;
  for (const Sample& sample : Samples(all)) fine += sample.at.mono >= AtMs(300'000).mono ? 1 : 0;
  EXPECT_GE(fine, 6'000);
  bool kept = false;
  for (const Event& event : Events(all)) {
    kept = kept || (event.kind == EventKind::kKept && event.Text(Key::kReason) == "error" &&
                    event.Integer(Key::kSamples) > 5'900);
  }
  EXPECT_TRUE(kept);
}

TEST(WriterTest, AFullQueueDropsSamplesFirstCountsThemAndSaysSo) {
  const Folder folder;
  const fs::path path = folder.path() / "r.db";
  WriterOptions options = OptionsFor(path);
  options.queue = 64;
  options.commit_every = std::chrono::hours(1);  // nothing is taken out
  {
    auto writer = Writer::Open(options);
    // The thread wakes at half of the queue, so all of it must come in one go.
    for (int i = 0; i < 200'000; ++i) (*writer)->Add(SampleAt(i));
    (*writer)->Note(Event{EventKind::kMark, AtMs(200'001), {}});
    const WriterStatus status = (*writer)->status();
    EXPECT_EQ(status.samples, 200'000);
    EXPECT_GT(status.dropped_samples, 0);
    ASSERT_TRUE((*writer)->Flush());
    (*writer)->Add(SampleAt(210'000));
    ASSERT_TRUE((*writer)->Flush());
  }
  std::int64_t dropped = 0;
  bool mark = false;
  for (const Event& event : Events(ReadAll(path))) {
    if (event.kind == EventKind::kDropped) dropped += *event.Integer(Key::kSamples);
    mark = mark || event.kind == EventKind::kMark;
  }
  EXPECT_GT(dropped, 0);
  EXPECT_TRUE(mark);
}

TEST(WriterTest, AnErrorStormIsCountedAndSmall) {
  const Folder folder;
  const fs::path path = folder.path() / "r.db";
  {
    auto writer = Writer::Open(OptionsFor(path));
    for (int i = 0; i < 4'759; ++i) {
      (*writer)->Note(ErrorEvent(AtMs(i * 50), "sticky", 719, "worker"));
      if (i % 1000 == 0) {
        ASSERT_TRUE((*writer)->Flush());
      }
    }
    ASSERT_TRUE((*writer)->Flush());
  }
  std::int64_t errors = 0, rows = 0;
  for (const Event& event : Events(ReadAll(path))) {
    if (event.kind == EventKind::kError) errors += event.count(), ++rows;
  }
  EXPECT_EQ(errors, 4'759);
  EXPECT_LT(rows, 400);
}

TEST(WriterTest, AFullDiskStopsRecordingAndItGoesOnByItself) {
  const Folder folder;
  const fs::path path = folder.path() / "r.db";
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  {
    auto writer = Writer::Open(OptionsFor(path));
    (*writer)->Add(SampleAt(0));
    ASSERT_TRUE((*writer)->Flush());
    rlimit small = before;
    small.rlim_cur = 200'000;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    std::int64_t ms = 1'000;
    const bool stopped = Eventually([&] {
      for (int i = 0; i < 100; ++i, ms += 1'000) {
        (*writer)->Add(SampleAt(ms, MiB(static_cast<int>(ms / 100 % 4000))));
        (*writer)->Note(Event{EventKind::kSpeechBegin, AtMs(ms), {}}.With(Key::kUtterance, ms));
      }
      EXPECT_TRUE((*writer)->Flush());
      return !(*writer)->status().recording;
    });
    const WriterStatus full = (*writer)->status();
    (*writer)->Note(Event{EventKind::kMark, AtMs(ms), {}}.With(Key::kName, "while full"));
    EXPECT_TRUE((*writer)->Flush());
    ::setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_TRUE(stopped);
    // SQLite calls a file size limit an I/O error, a full disk by its name.
    EXPECT_TRUE(full.code == Errc::kNoSpace || full.code == Errc::kIo) << full.trouble;
    EXPECT_TRUE(Eventually([&] {
      (*writer)->Add(SampleAt(ms += 1'000));
      return (*writer)->Flush() && (*writer)->status().recording;
    }));
    (*writer)->Add(SampleAt(ms += 1'000));
    EXPECT_TRUE((*writer)->Flush());
  }
  bool resumed = false, mark = false, dropped = false;
  for (const Event& event : Events(ReadAll(path))) {
    resumed =
        resumed || (event.kind == EventKind::kRecording && event.Text(Key::kStep) == "resumed");
    mark = mark || event.Text(Key::kName) == "while full";
    dropped = dropped || event.kind == EventKind::kDropped;
  }
  EXPECT_TRUE(resumed && mark && dropped) << resumed << mark << dropped;
}

TEST(WriterTest, ItLeavesRoomToOthers) {
  const Folder folder;
  WriterOptions options = OptionsFor(folder.path() / "r.db");
  options.keep_free = Bytes(std::int64_t{1} << 60);
  auto writer = Writer::Open(options);
  ASSERT_TRUE(writer);
  (*writer)->Add(SampleAt(0));
  ASSERT_TRUE((*writer)->Flush());
  EXPECT_FALSE((*writer)->status().recording);
  EXPECT_EQ((*writer)->status().code, Errc::kNoSpace);
  EXPECT_FALSE(fs::exists(options.path));
}

TEST(WriterTest, IsKnownForWhatItIsFromItsFirstCommit) {
  const Folder folder;
  const fs::path path = folder.path() / "r.db";
  auto writer = Writer::Open(OptionsFor(path));
  (*writer)->Add(SampleAt(0));
  ASSERT_TRUE((*writer)->Flush());
  EXPECT_TRUE(IsFlightRecord(path));  // while it is being written
}

TEST(WriterTest, ADatabaseThatIsNotOursIsLeftAlone) {
  const Folder folder;
  const fs::path path = folder.path() / "r.db";
  {
    auto other = sql::Database::Open(path, sql::Access::kReadWrite);
    ASSERT_TRUE(other && other->Run("CREATE TABLE t(a); PRAGMA user_version = 3"));
  }
  auto writer = Writer::Open(OptionsFor(path));
  (*writer)->Add(SampleAt(0));
  ASSERT_TRUE((*writer)->Flush());
  EXPECT_EQ((*writer)->status().code, Errc::kUnsupported);
  EXPECT_FALSE(fs::exists(path.string() + ".damaged-1"));
  EXPECT_EQ(Reader::Open({path}).error().code, Errc::kUnsupported);
  EXPECT_FALSE(IsFlightRecord(path));
  EXPECT_EQ(Reader::Open({folder.path() / "none"}).error().code, Errc::kNotFound);
}

// A real process that is killed while it writes, again and again: what it had received a second
// before (here: what it said it had committed) is there, and the file is whole.
TEST(WriterTest, KilledInALoop) {
  const Folder folder;
  const fs::path path = folder.path() / "r.db";
  std::int64_t begin = 0;
  for (int round = 0; round < 12; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      WriterOptions options = OptionsFor(path);
      options.commit_every = Milliseconds(2);
      auto writer = Writer::Open(options);
      if (!writer) ::_exit(1);
      for (std::int64_t i = begin;; ++i) {
        (*writer)->Add(SampleAt(i * 100, MiB(i * 37 % 4000)));
        (*writer)->Note(Event{EventKind::kSpeechBegin, AtMs(i * 100), {}}.With(Key::kUtterance, i));
        if (i % 5 == 0 && (*writer)->Flush() &&
            ::write(ends[1], &i, sizeof i) != static_cast<ssize_t>(sizeof i))
          ::_exit(1);
      }
    }
    ::close(ends[1]);
    std::int64_t committed = -1, one = 0;
    const int most = 3 + round * 7;
    for (int n = 0;
         n < most && ::read(ends[0], &one, sizeof one) == static_cast<ssize_t>(sizeof one); ++n)
      committed = one;
    ::kill(child, SIGKILL);
    while (::read(ends[0], &one, sizeof one) == static_cast<ssize_t>(sizeof one)) committed = one;
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    ASSERT_GE(committed, begin);

    std::int64_t seen = -1, count = 0;
    for (const Event& event : Events(ReadAll(path))) {
      if (event.kind != EventKind::kSpeechBegin) continue;
      EXPECT_EQ(event.Integer(Key::kUtterance), seen + 1);
      seen = event.Integer(Key::kUtterance).value_or(seen);
      ++count;
    }
    EXPECT_GE(seen, committed);
    begin = seen + 1;
  }
  EXPECT_FALSE(fs::exists(path.string() + ".damaged-1"));
}

// Ten hours of dictation and a bad end, then a quiet rest of the day, as the governor samples them.
TEST(WriterTest, ADayTakesLessThanTenMegabytes) {
  const Folder folder;
  const fs::path path = folder.path() / "r.db";
  {
    WriterOptions options = OptionsFor(path);
    options.queue = 100'000;
    auto writer = Writer::Open(options);
    std::int64_t ms = 0, utterance = 0, next_flush = 0;
    std::uint32_t noise = 1;
    const auto random = [&noise](std::int64_t n) {
      noise = noise * 1664525 + 1013904223;
      return static_cast<std::int64_t>(noise >> 8) % n;
    };
    while (ms < 86'400'000) {
      const bool busy = ms < 36'000'000;
      Sample sample =
          SampleAt(ms, MiB(3000 + random(busy ? 300 : 3)), MiB(790 + random(busy ? 60 : 1)));
      sample.host.available = MiB(20'000 + random(600));
      sample.host.psi_some = busy ? static_cast<double>(random(30)) / 10 : 0.0;
      (*writer)->Add(sample);
      if (busy && ms % 15'000 < 300) {
        for (int step = 0; step < 6; ++step)
          (*writer)->Note(Event{EventKind::kUtterance, AtMs(ms + step), {}}
                              .With(Key::kUtterance, utterance)
                              .With(Key::kStep, "decoded")
                              .With(Key::kMs, random(900)));
        ++utterance;
      }
      if (busy && random(20'000) == 0)
        (*writer)->Note(ErrorEvent(AtMs(ms), "out_of_memory", 2, "worker"));
      ms += busy ? 300 : 5'000;
      if (ms >= next_flush) {
        ASSERT_TRUE((*writer)->Flush(Milliseconds(60'000)));
        next_flush = ms + 900'000;
      }
    }
    ASSERT_TRUE((*writer)->Flush());
    EXPECT_EQ((*writer)->status().dropped_samples, 0);
  }
  const auto size = fs::file_size(path);
  RecordProperty("bytes", static_cast<int>(size));
  EXPECT_LT(size, 10'000'000u);
  EXPECT_GT(size, 1'000'000u);
}

}  // namespace
}  // namespace headroom::record
