// Several utterances in one run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asr/scheduler/dispatcher.h"
#include "asr/testing/fake_world.h"

namespace headroom::asr {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

// Big and small decode up to four in one run.
struct Together : FakeWorld {
  explicit Together(bool loaded = true) : FakeWorld(memory::MakeBatchPolicy()) {
    Start();
    if (!loaded) return;
    dispatcher->SetWanted(true);
    dispatcher->Tick();
    Pass(seconds(10));
  }
  /// All of them before the next tick, so that they wait together.
  void SubmitAll(std::uint64_t first, std::uint64_t last, const std::string& prompt = "") {
    for (std::uint64_t id = first; id <= last; ++id) {
      Utterance utterance{.id = id, .audio = Sound(Milliseconds(4000))};
      utterance.options.prompt = prompt;
      sounds.push_back(utterance.audio);
      ASSERT_TRUE(dispatcher->Submit(std::move(utterance)));
    }
    dispatcher->Tick();
  }
  std::vector<std::string> Texts() const {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < decoded.size(); ++i) {
      EXPECT_EQ(decoded[i].id, i + 1);
      texts.push_back(decoded[i].result ? decoded[i].result->transcript.segments[0].text
                                        : decoded[i].result.error().what);
    }
    return texts;
  }
  std::vector<audio::FiniteAudio> sounds;
};

TEST(Batch, WhatWaitsIsDecodedInOneRunAndTheFirstIsNotKeptWaiting) {
  Together world;
  EXPECT_EQ(world.dispatcher->status().at_once, 4u);
  world.SubmitAll(1, 1);
  world.SubmitAll(2, 10);
  world.Pass(seconds(10));
  EXPECT_EQ(world.Texts(), std::vector<std::string>(10, "big 0+4000"));
  EXPECT_THAT(world.clips, ElementsAre(1, 4, 4, 1));
  EXPECT_EQ(world.dispatcher->status().counts.runs, 4);
  for (const Decoded& one : world.decoded) EXPECT_EQ(one.attempts, 1);
}

TEST(Batch, OnTheCpuEachIsDecodedByItself) {
  Together world(false);
  world.gpu_taken = true;
  world.SubmitAll(1, 6);
  world.Pass(seconds(20));
  EXPECT_EQ(world.Texts(), std::vector<std::string>(6, "cpu 0+4000"));
  EXPECT_THAT(world.clips, Each(1u));
  EXPECT_EQ(world.dispatcher->status().at_once, 1u);
}

TEST(Batch, OnlyWhatAsksForTheSameAndNobodyIsOvertaken) {
  Together world;
  world.SubmitAll(1, 3, "ships");
  world.SubmitAll(4, 5, "trees");
  world.SubmitAll(6, 6, "ships");
  world.Pass(seconds(10));
  EXPECT_EQ(world.Texts().size(), 6u);
  EXPECT_THAT(world.clips, ElementsAre(3, 2, 1));
}

TEST(Batch, AnUtteranceThatKillsTheWorkerCostsTheOthersNothingButTime) {
  Together world;
  for (int i = 0; i < 4; ++i) world.sounds.push_back(FakeWorld::Sound(Milliseconds(4000)));
  world.deadly = {FakeWorld::KeyOf(world.sounds[2])};
  for (std::uint64_t id = 1; id <= 4; ++id)
    ASSERT_TRUE(world.dispatcher->Submit({.id = id, .audio = world.sounds[id - 1]}));
  world.dispatcher->Tick();
  world.Pass(seconds(30));
  EXPECT_THAT(world.Texts(), ElementsAre("big 0+4000", "big 0+4000", "cpu 0+4000", testing::_));
  EXPECT_EQ(world.clips[0], 4u);
  EXPECT_EQ(world.decoded[0].failures, 0);
  EXPECT_EQ(world.decoded[0].attempts, 2);
  EXPECT_EQ(world.decoded[2].failures, 2) << "by itself in each tier on the card, once";
  EXPECT_EQ(world.decoded[3].failures, 0);
  EXPECT_EQ(world.dispatcher->governor().tiers[0].failures, 1) << "that of the single run";
  for (const auto& [key, times] : world.failed) EXPECT_EQ(times, 1);
  EXPECT_EQ(world.failed_together.size(), 4u);
}

TEST(Batch, AnyFailureOfABatchIsNobodysAndTheTierGoesOnOneByOneForAWhile) {
  for (const Fault fault :
       {Fault::kOutOfMemory, Fault::kSticky, Fault::kHang, Fault::kCrash, Fault::kRefuses}) {
    Together world;
    world.faults = {fault};
    world.SubmitAll(1, 4);
    world.Pass(seconds(60));
    EXPECT_EQ(world.Texts(), std::vector<std::string>(4, "big 0+4000")) << static_cast<int>(fault);
    EXPECT_THAT(world.clips, ElementsAre(4, 1, 1, 1, 1));
    EXPECT_EQ(world.dispatcher->governor().tiers[0].failures, 0);
    EXPECT_EQ(world.decoded[0].failures, 0);
    EXPECT_TRUE(world.Saw(TierChange::kFailed));
    EXPECT_EQ(world.dispatcher->status().at_once, 1u);
    world.Pass(minutes(10));
    world.SubmitAll(5, 8);
    world.Pass(seconds(5));
    EXPECT_EQ(world.clips.back(), 4u) << "and together again";
    EXPECT_EQ(world.Texts().size(), 8u);
  }
}

TEST(Batch, ALostGpuIsLostForAllOfThem) {
  Together world;
  world.faults = {Fault::kLost};
  world.SubmitAll(1, 4);
  world.Pass(seconds(20));
  EXPECT_EQ(world.Texts(), std::vector<std::string>(4, "cpu 0+4000"));
  EXPECT_GT(world.dispatcher->governor().tiers[1].failures, 0);
  EXPECT_EQ(world.decoded[0].failures, 0);
}

TEST(Batch, AnErrorOfOneClipIsTriedAgainAlone) {
  Together world;
  world.clip_faults = 1;
  world.SubmitAll(1, 4);
  world.Pass(seconds(5));
  EXPECT_EQ(world.Texts(), std::vector<std::string>(4, "big 0+4000"));
  EXPECT_THAT(world.clips, ElementsAre(4, 1));
  EXPECT_EQ(world.decoded[3].attempts, 2);
  EXPECT_EQ(world.decoded[3].failures, 0);
}

TEST(Batch, WhoIsCancelledGetsNoTextAndTheOthersDo) {
  Together world;
  world.SubmitAll(1, 4);
  EXPECT_TRUE(world.dispatcher->Cancel({.id = 1}));
  EXPECT_TRUE(world.dispatcher->Cancel({.id = 3}));
  world.Pass(seconds(5));
  EXPECT_THAT(world.Texts(), ElementsAre("cancelled", "big 0+4000", "cancelled", "big 0+4000"));
  EXPECT_THAT(world.clips, ElementsAre(4));
  for (std::uint64_t id = 5; id <= 6; ++id) world.Submit(id);
  world.Pass(seconds(5));
  world.SubmitAll(7, 10);
  for (std::uint64_t id = 7; id <= 10; ++id) EXPECT_TRUE(world.dispatcher->Cancel({.id = id}));
  const MonoTime before = world.clock.Now();
  world.SubmitAll(11, 11);
  while (world.decoded.size() < 11 && world.clock.Now() < before + seconds(5))
    world.Pass(Milliseconds(10));
  EXPECT_LT(world.clock.Now() - before, Milliseconds(600)) << "the run of none was cut short";
  EXPECT_EQ(world.Texts().size(), 11u);
}

TEST(Batch, ALongUtteranceIsInSeveralAndOrderHolds) {
  Together world;
  world.Submit(1, seconds(10));  // runs
  world.Submit(2, seconds(70));
  for (std::uint64_t id = 3; id <= 5; ++id) world.Submit(id);
  world.Pass(seconds(30));
  EXPECT_EQ(world.Texts().size(), 5u);
  EXPECT_EQ(world.clips[1], 4u);
  EXPECT_EQ(world.decoded[1].result->transcript.segments.back().end, seconds(70));
}

TEST(Batch, TheBatchIsGivenUpBeforeAShorterChunk) {
  Together world(false);
  world.others = MiB(1800);  // beside that big fits with 30 s, but not four times
  world.dispatcher->SetWanted(true);
  world.SubmitAll(1, 4);
  world.Pass(seconds(10));
  EXPECT_EQ(world.dispatcher->status().chunk, seconds(30));
  EXPECT_EQ(world.dispatcher->status().at_once, 1u);
  EXPECT_EQ(world.Held(), MiB(1600));
  EXPECT_THAT(world.clips, ElementsAre(1, 1, 1, 1));
  world.others = MiB(0);
  world.Pass(minutes(2));
  EXPECT_EQ(world.dispatcher->status().at_once, 4u) << "and comes back";
  EXPECT_EQ(world.Held(), MiB(1800));
}

TEST(Batch, ItsDeadlineGrowsWithIt) {
  Together world(false);
  world.load_time = seconds(60);
  world.dispatcher->SetWanted(true);
  world.dispatcher->Tick();
  world.Pass(minutes(2));
  world.SubmitAll(1, 1);
  world.SubmitAll(2, 5);
  world.Pass(seconds(10));
  ASSERT_THAT(world.clips, ElementsAre(1, 4));
  EXPECT_GE(world.patience[1], 4 * world.patience[0]);
}

TEST(Batch, WhatPassesTheLimitIsCutOffAndNobodyHasFailed) {
  Together world;
  world.rate = 2;
  world.SubmitAll(1, 4);
  world.Pass(seconds(1));
  world.others = MiB(1900);  // danger; beside that big fits with 15 s, one at a time
  world.Pass(seconds(60));
  EXPECT_EQ(world.Texts().size(), 4u);
  for (const Decoded& one : world.decoded) {
    EXPECT_THAT(one.tier, HasSubstr("big"));
    EXPECT_EQ(one.failures, 0);
    EXPECT_EQ(one.attempts, 2);
  }
}

}  // namespace
}  // namespace headroom::asr
