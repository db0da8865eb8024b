// The round trip: what is added to a writer comes out of a reader.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/file.h"
#include "observe/record/reader.h"
#include "observe/record/writer.h"
#include "observe/testing/record_fixture.h"

namespace headroom::record {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(RecordNames, AreStableAndComeBack) {
  for (int k = 0; k <= static_cast<int>(EventKind::kMark); ++k) {
    const auto kind = static_cast<EventKind>(k);
    EXPECT_FALSE(Name(kind).empty());
    EXPECT_EQ(EventKindFromName(Name(kind)), kind) << Name(kind);
  }
  EXPECT_EQ(Name(EventKind::kModelReady), "model_ready");
  EXPECT_EQ(Name(EventKind::kTarget), "target");
  EXPECT_EQ(Name(EventKind::kClock), "clock");
  for (std::size_t k = 0; k < kKeys; ++k) {
    const auto key = static_cast<Key>(k);
    EXPECT_EQ(KeyFromName(Name(key)), key) << Name(key);
  }
  EXPECT_EQ(Name(Key::kAudioMs), "audio_ms");
  EXPECT_EQ(Name(Key::kVersion), "version");
  EXPECT_EQ(Name(Key::kExitCode), "exit_code");
}

// There is no place for what was said: no key that is for text, speech or words.
TEST(RecordNames, HaveNoPlaceForWords) {
  for (std::size_t k = 0; k < kKeys; ++k) {
    for (const char* word : {"text", "word", "transcript", "said", "prompt", "message", "content"})
      EXPECT_THAT(std::string(Name(static_cast<Key>(k))), testing::Not(HasSubstr(word)));
  }
}

TEST(EventTest, AttributesAreTypedBoundedAndPrintable) {
  Event event{EventKind::kError, {}, {}};
  event.With(Key::kCode, 719).With(Key::kClass, "sticky\x1b[31m").With(Key::kMs, 2.5);
  EXPECT_EQ(event.Integer(Key::kCode), 719);
  EXPECT_EQ(event.Number(Key::kCode), 719.0);
  EXPECT_EQ(event.Number(Key::kMs), 2.5);
  EXPECT_EQ(event.Text(Key::kClass), "sticky [31m");
  EXPECT_EQ(event.count(), 1);
  event.With(Key::kCode, 2);
  EXPECT_EQ(event.Integer(Key::kCode), 2);
  std::string umlauts;
  for (int i = 0; i < 300; ++i) umlauts += "ü";
  event.With(Key::kReason, umlauts + "x");
  EXPECT_EQ(event.Text(Key::kReason).size(), kMostText);
  event.With(Key::kReason, "x" + umlauts);
  EXPECT_EQ(event.Text(Key::kReason).size(), kMostText - 1);

  const std::string json = AttributesToJson(event);
  Event back{EventKind::kError, {}, AttributesFromJson(json)};
  EXPECT_EQ(AttributesToJson(back), json);
  for (const char* bad : {"", "[", "[1]", "3", "{\"nosuch\":1}", "{\"code\":{\"a\":1}}"})
    EXPECT_TRUE(AttributesFromJson(bad).empty()) << bad;
}

TEST(RecordTest, WhatIsAddedComesBack) {
  const Folder folder;
  const Sample one = SampleAt(0), two = SampleAt(1'000, MiB(3900));
  {
    auto writer = Writer::Open(OptionsFor(folder.path() / "a" / "r.db"));
    ASSERT_TRUE(writer);
    (*writer)->Describe({"0000:01:00.0", "A GPU", "GPU-1", "550.54"});
    (*writer)->Note(Event{EventKind::kStart, AtMs(0), {}}.With(Key::kVersion, "1"));
    (*writer)->Add(one);
    (*writer)->Note(ErrorEvent(AtMs(500), "sticky", 719, "worker"));
    (*writer)->Add(two);
    ASSERT_TRUE((*writer)->Flush());
    const WriterStatus status = (*writer)->status();
    EXPECT_TRUE(status.recording) << status.trouble;
    EXPECT_EQ(status.samples, 2);
    EXPECT_EQ(status.events, 2);
    EXPECT_EQ(status.dropped_samples + status.dropped_events, 0);
  }
  auto reader = Reader::Open({folder.path() / "a" / "r.db"});
  ASSERT_TRUE(reader) << reader.error().what;
  ASSERT_EQ((*reader)->runs().size(), 1u);
  EXPECT_EQ((*reader)->runs()[0]->program, "test");
  EXPECT_TRUE((*reader)->runs()[0]->ended);
  EXPECT_EQ((*reader)->gpus().at("0000:01:00.0").name, "A GPU");
  const std::vector<Entry> all = All(**reader);
  EXPECT_THAT((*reader)->damage(), ElementsAre());
  ASSERT_GE(all.size(), 4u);
  EXPECT_EQ(std::get<Event>(all[1].what).kind, EventKind::kStart);
  const Sample first = std::get<Sample>(all[0].what);
  EXPECT_EQ(first.at, one.at);
  EXPECT_EQ(first.host, one.host);
  EXPECT_EQ(first.service, one.service);
  EXPECT_EQ(first.gpus, one.gpus);
  EXPECT_EQ(first.processes, one.processes);
  EXPECT_EQ(first.holds, Milliseconds(1'000));
  const auto samples = Samples(all);
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[1].gpus, two.gpus);
  EXPECT_EQ(samples[1].processes, two.processes);
  const auto events = Events(all);
  EXPECT_EQ(events[1].Integer(Key::kCode), 719);

  struct stat info{};
  ASSERT_EQ(::stat((folder.path() / "a" / "r.db").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_TRUE(IsFlightRecord(folder.path() / "a" / "r.db"));
}

}  // namespace
}  // namespace headroom::record
