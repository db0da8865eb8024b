// Many lines over one scheduler with a worker of the scripted engine.
#include "asr/scheduler/switchboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "app/testing/fake_scheduler.h"

namespace headroom::app {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class SwitchboardTest : public testing::Test {
 protected:
  ~SwitchboardTest() override {
    lines_.clear();
    board_.End();
    scheduler_.reset();
  }

  // Its events are noted as "name:id".
  Switchboard::Line& Connect(const std::string& name, Urgency urgency) {
    lines_.push_back(board_.Connect(
        urgency,
        {.on_decoded =
             [this, name](const asr::Decoded& decoded) {
               Note(name + ":" + std::to_string(decoded.id) +
                    (decoded.result ? "" : " " + std::string(Name(decoded.result.error().code))));
             },
         .on_speculated =
             [this, name](const asr::Speculated& speculated) {
               Note(name + "?" + std::to_string(speculated.id) +
                    (speculated.result ? "" : " dropped"));
             }}));
    return *lines_.back();
  }
  void Note(std::string what) {
    const std::lock_guard lock(mutex_);
    order_.push_back(std::move(what));
    noted_.notify_all();
  }
  std::vector<std::string> Wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(
        noted_.wait_for(lock, std::chrono::seconds(30), [&] { return order_.size() >= count; }));
    return order_;
  }
  static asr::Utterance Said(std::uint64_t id, Milliseconds length = Milliseconds(500)) {
    asr::Utterance utterance;
    utterance.id = id;
    utterance.request.language = "en";
    utterance.samples = std::make_shared<const std::vector<float>>(
        static_cast<std::size_t>(length.count()) * 16, 0.1F);
    return utterance;
  }
  void Begin(const std::string& script = "slow=5") {
    scheduler_ = FakeScheduler(script, board_);
    board_.Begin(*scheduler_);
  }

  Switchboard board_;
  std::unique_ptr<asr::Scheduler> scheduler_;
  std::vector<std::unique_ptr<Switchboard::Line>> lines_;
  std::mutex mutex_;
  std::condition_variable noted_;
  std::vector<std::string> order_;
};

TEST_F(SwitchboardTest, WhatIsDueFirstGoesFirst) {
  auto& file = Connect("file", Urgency::kFile);
  auto& stream = Connect("stream", Urgency::kStream);
  auto& dictation = Connect("dictation", Urgency::kDictation);
  for (const std::uint64_t id : {1, 2}) ASSERT_TRUE(file.Submit(Said(id)));
  ASSERT_TRUE(stream.Submit(Said(1)));
  ASSERT_TRUE(dictation.Submit(Said(1)));
  EXPECT_EQ(board_.waiting(), 4U);
  EXPECT_EQ(board_.queue(), Milliseconds(2'000));
  Begin();
  EXPECT_THAT(Wait(4), ElementsAre("dictation:1", "stream:1", "file:1", "file:2"));
  EXPECT_EQ(board_.waiting(), 0U);
}

TEST_F(SwitchboardTest, WhatIsDueNextAndAsksForTheSameGoesTogether) {
  std::vector<Switchboard::Line*> lines;
  for (const char* name : {"a", "b", "c", "d", "e", "f"})
    lines.push_back(&Connect(name, Urgency::kStream));
  for (Switchboard::Line* line : lines) {
    asr::Utterance utterance = Said(1);
    if (line == lines.back()) utterance.request.prompt = "something else";
    ASSERT_TRUE(line->Submit(std::move(utterance)));
  }
  scheduler_ = FakeScheduler("slow=5", board_, 3);
  board_.Begin(*scheduler_);
  EXPECT_THAT(Wait(6), ElementsAre("a:1", "b:1", "c:1", "d:1", "e:1", "f:1"));
  // The first alone, for nothing was loaded; three; the fifth, since the sixth wants another thing.
  const auto counts = scheduler_->status().counts;
  EXPECT_EQ(counts.runs, 4);
  EXPECT_EQ(counts.submitted, 6);
  EXPECT_EQ(scheduler_->at_once(), 3U);
}

TEST_F(SwitchboardTest, OneOfThoseThatGoTogetherMayBeCancelled) {
  auto& first = Connect("first", Urgency::kStream);
  auto& gone = Connect("gone", Urgency::kStream);
  auto& other = Connect("other", Urgency::kStream);
  for (auto* line : {&first, &gone, &other}) ASSERT_TRUE(line->Submit(Said(1)));
  scheduler_ = FakeScheduler("slow=300", board_, 3);
  board_.Begin(*scheduler_);
  Wait(1);  // the others go together now
  lines_.erase(lines_.begin() + 1);
  EXPECT_THAT(Wait(2), ElementsAre("first:1", "other:1"));
}

TEST_F(SwitchboardTest, AFileIsNotStarvedByStreams) {
  // Submitted half a minute before the stream's, by a clock of its own.
  FakeClock clock;
  Switchboard board(256, clock);
  std::vector<std::string> order;
  auto file =
      board.Connect(Urgency::kFile, {.on_decoded = [&](const asr::Decoded&) { Note("file"); }});
  auto stream =
      board.Connect(Urgency::kStream, {.on_decoded = [&](const asr::Decoded&) { Note("stream"); }});
  ASSERT_TRUE(file->Submit(Said(1)));
  clock.Advance(Milliseconds(29'500));
  ASSERT_TRUE(stream->Submit(Said(1)));
  auto scheduler = FakeScheduler("slow=5", board);
  board.Begin(*scheduler);
  EXPECT_THAT(Wait(2), ElementsAre("file", "stream"));
  board.End();
  scheduler.reset();
}

TEST_F(SwitchboardTest, ALineThatIsGoneCostsTheOthersNothing) {
  auto& gone = Connect("gone", Urgency::kStream);
  auto& other = Connect("other", Urgency::kFile);
  for (const std::uint64_t id : {1, 2, 3}) ASSERT_TRUE(gone.Submit(Said(id)));
  ASSERT_TRUE(other.Submit(Said(7)));
  lines_.erase(lines_.begin());
  EXPECT_EQ(board_.waiting(), 1U);
  Begin();
  EXPECT_THAT(Wait(1), ElementsAre("other:7"));
}

TEST_F(SwitchboardTest, ALineThatGoesWhileItIsServed) {
  auto& gone = Connect("gone", Urgency::kDictation);
  auto& other = Connect("other", Urgency::kFile);
  ASSERT_TRUE(gone.Submit(Said(1, Milliseconds(20'000))));
  ASSERT_TRUE(other.Submit(Said(2)));
  Begin("slow=1000");
  lines_.erase(lines_.begin());
  EXPECT_THAT(Wait(1), ElementsAre("other:2"));
}

TEST_F(SwitchboardTest, CancelledBeforeItBeganThereIsNoEvent) {
  auto& line = Connect("line", Urgency::kFile);
  ASSERT_TRUE(line.Submit(Said(1)));
  ASSERT_TRUE(line.Submit(Said(2)));
  EXPECT_TRUE(line.Cancel(1));
  EXPECT_FALSE(line.Cancel(5));
  Begin();
  EXPECT_THAT(Wait(1), ElementsAre("line:2"));
}

TEST_F(SwitchboardTest, OnlySoManyWait) {
  Switchboard small(2);
  auto line = small.Connect(Urgency::kFile, {});
  EXPECT_TRUE(line->Submit(Said(1)));
  EXPECT_TRUE(line->Submit(Said(2)));
  const auto third = line->Submit(Said(3));
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Errc::kBusy);
}

TEST_F(SwitchboardTest, ASuspicionOfTheEndIsWorthMoreThanAPartial) {
  auto& first = Connect("first", Urgency::kStream);
  auto& second = Connect("second", Urgency::kStream);
  auto& dictation = Connect("dictation", Urgency::kDictation);
  EXPECT_EQ(first.Speculate(Said(1), false), 0U);  // there is no scheduler
  Begin("slow=5");
  EXPECT_NE(first.Speculate(Said(1, Milliseconds(3'000)), false), 0U);
  EXPECT_EQ(second.Speculate(Said(2), false), 0U);
  EXPECT_NE(second.Speculate(Said(2, Milliseconds(3'000)), true), 0U);
  EXPECT_EQ(first.Speculate(Said(3), true), 0U);
  first.CancelSpeculation();  // not its own
  EXPECT_NE(dictation.Speculate(Said(4), false), 0U);
  // Nothing is loaded, so nothing can be run: every one is answered all the same.
  ASSERT_TRUE(dictation.Submit(Said(5)));
  EXPECT_THAT(Wait(4), UnorderedElementsAre("first?1 dropped", "second?2 dropped",
                                            "dictation?4 dropped", "dictation:5"));
}

}  // namespace
}  // namespace headroom::app
