#include "asr/scheduler/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asr/testing/fake_world.h"

namespace headroom::asr {
namespace {

using memory::ActionKind;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

std::string TextOf(const Decoded& decoded) {
  if (!decoded.result) return "error: " + decoded.result.error().what;
  std::string text;
  for (const auto& segment : decoded.result->transcript.segments)
    text += (text.empty() ? "" : " ") + segment.text;
  return text;
}

struct Loaded : FakeWorld {
  explicit Loaded(SchedulerOptions options = {})
      : FakeWorld(memory::MakePolicy(), std::move(options)) {
    Start();
    dispatcher->SetWanted(true);
    dispatcher->Tick();
    Pass(seconds(10));
  }
};

TEST(Dispatcher, LoadsWhenSomebodyListensAndDecodes) {
  FakeWorld world;
  world.Start();
  world.Pass(minutes(10));
  EXPECT_EQ(world.made, 0);
  world.dispatcher->SetWanted(true);
  world.dispatcher->Tick();
  EXPECT_EQ(world.made, 1);
  world.Submit(7);
  world.Pass(seconds(3));
  EXPECT_EQ(world.Ready(), "big");
  ASSERT_EQ(world.decoded.size(), 1u);
  EXPECT_EQ(TextOf(world.decoded[0]), "big 0+4000");
  EXPECT_EQ(world.decoded[0].id, 7u);
  EXPECT_EQ(world.decoded[0].attempts, 1);
  EXPECT_EQ(world.decoded[0].took, world.load_time + Milliseconds(400));
  EXPECT_EQ(world.dispatcher->status().counts.device_allocations, 0);
}

TEST(Dispatcher, InOrderOneAtATime) {
  Loaded world;
  for (std::uint64_t id = 1; id <= 20; ++id) world.Submit(id);
  world.Pass(seconds(20));
  ASSERT_EQ(world.decoded.size(), 20u);
  for (std::uint64_t id = 1; id <= 20; ++id) EXPECT_EQ(world.decoded[id - 1].id, id);
}

TEST(Dispatcher, MoreThanItsBoundAreRefused) {
  FakeWorld world(memory::MakePolicy(), {.most_waiting = 3});
  world.Start();
  for (std::uint64_t id = 1; id <= 5; ++id) world.Submit(id);
  EXPECT_EQ(world.submitted, 3);
  EXPECT_EQ(world.dispatcher->status().counts.refused, 2);
  world.Pass(seconds(10));
  EXPECT_EQ(world.decoded.size(), 3u);
}

TEST(Dispatcher, EveryClassOfFailureGoesToTheNextTierWithTheSameUtterance) {
  for (const Fault fault : {Fault::kOutOfMemory, Fault::kSticky, Fault::kHang, Fault::kCrash}) {
    Loaded world;
    world.faults = {fault};
    world.Submit(1);
    world.Submit(2);
    world.Pass(seconds(150));  // a first run that hangs is given two minutes
    ASSERT_EQ(world.decoded.size(), 2u) << static_cast<int>(fault);
    EXPECT_EQ(TextOf(world.decoded[0]), "small 0+4000");
    EXPECT_EQ(world.decoded[0].failures, 1);
    EXPECT_EQ(world.decoded[0].attempts, 2);
    EXPECT_TRUE(world.Saw(TierChange::kFailed));
    world.Pass(minutes(30));
    EXPECT_EQ(world.Ready(), "big") << "and comes back";
  }
}

TEST(Dispatcher, ALostGpuTakesAllItsTiersWithIt) {
  Loaded world;
  world.faults = {Fault::kLost};
  world.Submit(1);
  world.Pass(seconds(10));
  ASSERT_EQ(world.decoded.size(), 1u);
  EXPECT_EQ(TextOf(world.decoded[0]), "cpu 0+4000");
}

TEST(Dispatcher, WhenEveryTierFailsTheAnswerIsAnErrorAndTheNextUtteranceIsWell) {
  Loaded world;
  world.faults = {Fault::kCrash, Fault::kSticky};
  world.broken = {"cpu"};
  world.Submit(1);
  world.Pass(minutes(1));
  ASSERT_EQ(world.decoded.size(), 1u);
  EXPECT_EQ(world.decoded[0].failures, 3);
  ASSERT_FALSE(world.decoded[0].result);
  EXPECT_THAT(world.decoded[0].result.error().what, HasSubstr("unspecified launch failure"));
  EXPECT_THAT(world.decoded[0].result.error().what, HasSubstr("not a model"));
  world.Submit(2);
  world.Pass(minutes(3));
  ASSERT_EQ(world.decoded.size(), 2u);
  EXPECT_TRUE(world.decoded[1].result);
}

TEST(Dispatcher, ARequestThatOnlyOneModelRefusesIsNoFailureOfItsTier) {
  Loaded world;
  world.faults = {Fault::kRefuses};
  world.Submit(1);
  world.Pass(seconds(10));
  ASSERT_EQ(world.decoded.size(), 1u);
  EXPECT_EQ(TextOf(world.decoded[0]), "small 0+4000");
  EXPECT_EQ(world.dispatcher->governor().tiers[0].failures, 0);
}

TEST(Dispatcher, ATierIsChosenByLanguage) {
  FakeWorld world;
  world.settings.tiers[2].traits.languages = {"en", "de"};
  world.Start();
  world.dispatcher->SetWanted(true);
  world.Pass(seconds(10));
  EXPECT_EQ(world.Ready(), "big");
  world.Submit(1, seconds(2), 0, "de");
  world.Submit(2);
  world.Submit(3, seconds(2), 0, "fr");
  world.Pass(seconds(20));
  ASSERT_EQ(world.decoded.size(), 3u);
  EXPECT_EQ(TextOf(world.decoded[0]), "cpu 0+2000");
  EXPECT_TRUE(world.decoded[1].result);
  ASSERT_FALSE(world.decoded[2].result);
  EXPECT_EQ(world.decoded[2].result.error().code, Errc::kUnsupported);
  EXPECT_THAT(world.decoded[2].result.error().what, HasSubstr("\"fr\""));
  world.Pass(minutes(15));
  EXPECT_EQ(world.Ready(), "big");
}

TEST(Dispatcher, DangerEndsTheWorkerInTheSampleThatShowsIt) {
  Loaded world;
  world.rate = 2;  // too long to be waited for
  world.Submit(1);
  world.Pass(seconds(1));
  world.others = MiB(2000);  // beside 1600 of ours: 88 %
  // The sample that shows it comes within its interval; the worker is gone end_time after it.
  world.Pass(Milliseconds(1000) + world.end_time);
  EXPECT_EQ(world.Held(), Bytes(0));
  EXPECT_EQ(world.stayed, Milliseconds(0)) << "it ends in the tick of that very sample";
  world.Pass(seconds(30));
  ASSERT_EQ(world.decoded.size(), 1u);
  EXPECT_EQ(TextOf(world.decoded[0]), "small 0+4000");
  EXPECT_EQ(world.decoded[0].failures, 0) << "it was cut off, nothing failed";
  EXPECT_EQ(world.decoded[0].attempts, 2);
}

TEST(Dispatcher, AnUtteranceThatEndsWithinHalfASecondMayEndInDanger) {
  Loaded world;
  world.Submit(1);  // 400 ms; teaches the rate
  world.Pass(seconds(2));
  world.Submit(2);
  world.others = MiB(2100);  // 90 %
  world.clock.Advance(Milliseconds(50));
  world.dispatcher->Tick();
  world.Pass(seconds(20));
  ASSERT_EQ(world.decoded.size(), 2u);
  EXPECT_EQ(world.decoded[1].attempts, 1);
  EXPECT_EQ(world.Ready(), "small");
  ASSERT_TRUE(world.stayed);
  EXPECT_GT(*world.stayed, Milliseconds(0));
  EXPECT_LE(*world.stayed, Milliseconds(500));
}

TEST(Dispatcher, IdleEndsTheWorkerAndTheMemoryIsSeenToComeBack) {
  Loaded world;
  EXPECT_EQ(world.Held(), MiB(1600));
  world.dispatcher->SetWanted(false);
  world.Pass(minutes(6));
  EXPECT_EQ(world.Held(), Bytes(0));
  EXPECT_TRUE(world.Saw(TierChange::kMemoryBack));
  const int before = world.samples;
  world.Pass(minutes(10));
  EXPECT_LE(world.samples - before, 121) << "a sample every five seconds is enough";
}

TEST(Dispatcher, AGpuRestsOnlyWhenItsMemoryIsSeenToBeBack) {
  Loaded world;
  world.sleeps = true;
  world.dispatcher->SetWanted(false);
  world.Pass(minutes(6));
  EXPECT_EQ(world.Held(), Bytes(0));
  EXPECT_TRUE(world.Saw(TierChange::kMemoryBack));
  const memory::Sample seen = world.dispatcher->status().sample;
  EXPECT_TRUE(seen.gpu_rests);
  EXPECT_EQ(seen.vram_used, std::nullopt) << "it was not measured";
}

TEST(Dispatcher, MemoryThatDoesNotComeBackIsSaid) {
  Loaded world;
  world.dispatcher->SetWanted(false);
  world.Pass(minutes(4));
  world.keeps = MiB(900);  // what unloading inside a process leaves behind
  world.Pass(minutes(2));
  EXPECT_TRUE(world.Saw(TierChange::kMemoryKept));
}

TEST(Dispatcher, ANewWorkerWaitsUntilTheOldOneIsGone) {
  Loaded world;
  world.end_time = seconds(3);
  for (int i = 0; i < 4; ++i) {
    world.faults = {Fault::kOutOfMemory};
    world.Submit(static_cast<std::uint64_t>(i + 1));
    world.Pass(minutes(20));
  }
  EXPECT_EQ(world.two_at_once, 0);
  EXPECT_EQ(world.decoded.size(), 4u);
}

TEST(Dispatcher, YieldLeavesTheGpuAndComesBack) {
  Loaded world;
  world.dispatcher->Yield(true);
  world.dispatcher->Tick();
  EXPECT_FALSE(world.dispatcher->gpu_left());
  world.Pass(seconds(1));
  EXPECT_TRUE(world.dispatcher->gpu_left());
  world.Submit(1);
  world.Pass(minutes(30));
  EXPECT_EQ(TextOf(world.decoded.at(0)), "cpu 0+4000");
  EXPECT_TRUE(world.dispatcher->gpu_left());
  world.dispatcher->Yield(false);
  world.Pass(minutes(1));
  EXPECT_EQ(world.Ready(), "big");
}

TEST(Dispatcher, AGpuThatAnotherProgramOfOursHoldsIsLeftAlone) {
  FakeWorld world;
  world.gpu_taken = true;
  world.Start();
  world.dispatcher->SetWanted(true);
  world.Submit(1);
  world.Pass(minutes(5));
  EXPECT_EQ(TextOf(world.decoded.at(0)), "cpu 0+4000");
  EXPECT_EQ(world.made, 1);
  world.gpu_taken = false;
  world.Pass(minutes(2));
  EXPECT_EQ(world.Ready(), "big");
}

TEST(Dispatcher, SuspendEndsEverythingAndResumeLoadsOnDemand) {
  Loaded world;
  world.rate = 2;
  world.Submit(1);
  world.Pass(seconds(1));
  world.dispatcher->Suspend();
  world.dispatcher->Tick();
  world.Pass(seconds(1));
  EXPECT_TRUE(world.dispatcher->none_left());
  world.Pass(seconds(5));
  EXPECT_TRUE(world.decoded.empty());
  world.dispatcher->Resume();
  world.Pass(seconds(20));
  EXPECT_EQ(TextOf(world.decoded.at(0)), "big 0+4000");
}

TEST(Dispatcher, AGpuThatSleptIsWaitedForBeforeTheFirstLoad) {
  FakeWorld world;
  world.sleeps = true;
  world.gpu_answers = false;
  world.Start();
  world.Pass(minutes(10));
  world.dispatcher->SetWanted(true);
  world.dispatcher->Tick();
  world.Pass(seconds(1));
  EXPECT_EQ(world.made, 0);
  world.gpu_answers = true;
  world.Pass(seconds(3));
  EXPECT_EQ(world.Ready(), "big");
}

TEST(Dispatcher, AGpuThatNeverAnswersIsNotWaitedForLong) {
  FakeWorld world;
  world.gpu_answers = false;
  world.Start();
  world.dispatcher->SetWanted(true);
  world.dispatcher->Tick();
  world.Pass(seconds(5));
  EXPECT_EQ(world.Ready(), "cpu");
}

TEST(Dispatcher, MemoryDangerPausesAndTheUtteranceWaits) {
  Loaded world;
  world.numbers.psi_full = 30;
  world.Pass(seconds(2));
  EXPECT_TRUE(world.dispatcher->none_left());
  world.Submit(1);
  world.Pass(minutes(3));
  EXPECT_TRUE(world.decoded.empty());
  EXPECT_TRUE(world.dispatcher->status().paused);
  world.numbers.psi_full = 0;
  world.Pass(minutes(1));
  EXPECT_EQ(world.decoded.size(), 1u);
}

TEST(Dispatcher, CriticalMemoryOfOurOwnAsksForARestart) {
  Loaded world;
  world.numbers.ram = memory::Megabytes(7000);
  world.Pass(seconds(2));
  EXPECT_EQ(world.restarts, 1);
}

TEST(Dispatcher, LongUtterancesAreCutToWhatWasAdmitted) {
  Loaded world;
  world.others = MiB(1350);  // only big/15 is safe beside that
  world.Pass(seconds(20));
  ASSERT_EQ(world.dispatcher->status().chunk, seconds(15));
  world.Submit(1, seconds(40));
  world.Pass(seconds(20));
  ASSERT_TRUE(world.decoded.at(0).result);
  const auto& segments = world.decoded[0].result->transcript.segments;
  ASSERT_GE(segments.size(), 3u);
  EXPECT_GE(world.runs["big"], 3);
  EXPECT_EQ(segments.back().end, seconds(40));
}

// --- speculation -------------------------------------------------------------------------------

TEST(Speculation, DoneBeforeTheEndIsThereAtOnce) {
  Loaded world;
  world.Speculate(5);
  world.Pass(seconds(1));
  ASSERT_EQ(world.speculated.size(), 1u);
  EXPECT_TRUE(world.speculated[0].result);
  world.Submit(1, Milliseconds(4800), 5);
  ASSERT_EQ(world.decoded.size(), 1u);
  EXPECT_TRUE(world.decoded[0].adopted);
  EXPECT_EQ(world.decoded[0].took, Milliseconds(0));
  EXPECT_EQ(TextOf(world.decoded[0]), "big 0+4000");
  EXPECT_EQ(world.runs["big"], 1);
}

TEST(Speculation, StillRunningIsPromotedNotRestarted) {
  Loaded world;
  world.Speculate(5);
  world.Pass(Milliseconds(300));
  world.Submit(1, Milliseconds(4800), 5);
  EXPECT_TRUE(world.decoded.empty());
  world.Pass(Milliseconds(120));
  ASSERT_EQ(world.decoded.size(), 1u);
  EXPECT_TRUE(world.decoded[0].adopted);
  EXPECT_LE(world.decoded[0].took, Milliseconds(110));
  EXPECT_EQ(world.runs["big"], 1);
  ASSERT_EQ(world.speculated.size(), 1u) << "one answer for a ticket";
}

TEST(Speculation, APromotedRunThatFailsIsDecodedAgainElsewhere) {
  Loaded world;
  world.faults = {Fault::kSticky};
  world.Speculate(5);
  world.Pass(Milliseconds(100));
  world.Submit(1, Milliseconds(4800), 5);
  world.Pass(seconds(10));
  ASSERT_EQ(world.decoded.size(), 1u);
  EXPECT_EQ(TextOf(world.decoded[0]), "small 0+4800");
  EXPECT_FALSE(world.decoded[0].adopted);
  EXPECT_EQ(world.decoded[0].failures, 1);
}

TEST(Speculation, IsCancelledByAnythingBetterAndNobodyHasFailed) {
  for (const bool kills : {false, true}) {
    Loaded world;
    world.cancel_kills = kills;
    world.Speculate(5, seconds(20));
    world.Pass(Milliseconds(300));
    world.Submit(1);
    world.Pass(seconds(10));
    ASSERT_EQ(world.decoded.size(), 1u);
    EXPECT_EQ(TextOf(world.decoded[0]), "big 0+4000");
    EXPECT_EQ(world.decoded[0].failures, 0);
    ASSERT_EQ(world.speculated.size(), 1u);
    EXPECT_FALSE(world.speculated[0].result);
    EXPECT_EQ(world.dispatcher->governor().tiers[0].failures, 0);
  }
}

TEST(Speculation, TheNewestTakesThePlaceAndEachHasOneAnswer) {
  Loaded world;
  for (Ticket ticket = 1; ticket <= 5; ++ticket) {
    world.Speculate(ticket, seconds(5));
    world.Pass(Milliseconds(100));
  }
  world.Pass(seconds(5));
  ASSERT_EQ(world.speculated.size(), 5u);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(world.speculated[static_cast<std::size_t>(i)].result);
  EXPECT_TRUE(world.speculated[4].result);
  EXPECT_EQ(world.speculated[4].ticket, 5u);
}

TEST(Speculation, AResultThatWasCancelledIsNotAdopted) {
  Loaded world;
  world.Speculate(5);
  world.Pass(seconds(1));
  world.dispatcher->CancelSpeculation(0);  // speech went on
  world.Submit(1, Milliseconds(9000), 5);
  world.Pass(seconds(5));
  EXPECT_EQ(TextOf(world.decoded.at(0)), "big 0+9000");
  EXPECT_FALSE(world.decoded[0].adopted);
}

TEST(Speculation, StopsInTheWarningZone) {
  Loaded world;
  world.others = MiB(1350);
  world.Pass(seconds(20));
  world.Speculate(5);
  EXPECT_EQ(world.speculated.size(), 1u);
  EXPECT_FALSE(world.speculated[0].result);
  world.others = MiB(0);
  world.Pass(minutes(2));
  world.Speculate(6);
  world.Pass(seconds(2));
  EXPECT_TRUE(world.speculated.at(1).result);
}

TEST(Speculation, ACrashInItIsTheTiersButNotTheUtterances) {
  Loaded world;
  world.faults = {Fault::kSticky};
  world.Speculate(5);
  world.Pass(seconds(1));
  world.Submit(1, Milliseconds(4800), 5);
  world.Pass(seconds(10));
  EXPECT_EQ(TextOf(world.decoded.at(0)), "small 0+4800");
  EXPECT_EQ(world.decoded[0].failures, 0);
}

// --- cold --------------------------------------------------------------------------------------

TEST(Cold, AFirstUtteranceWaitsForTheGoodModel) {
  FakeWorld world;
  world.load_time = seconds(8);
  world.Start();
  world.dispatcher->SetWanted(true);
  world.Submit(1);
  world.Pass(seconds(20));
  EXPECT_EQ(TextOf(world.decoded.at(0)), "big 0+4000");
}

TEST(Cold, OrGoesToTheQuickTierWhichThenLeaves) {
  struct Slow : FakeWorld {
    using FakeWorld::FakeWorld;
    Result<std::unique_ptr<Runner>> Make(const Tier& tier, std::function<void()> wake) override {
      load_time = tier.on_gpu() ? Milliseconds(8000) : Milliseconds(300);
      return FakeWorld::Make(tier, std::move(wake));
    }
  };
  Slow world(memory::MakePolicy(), {.when_cold = WhenCold::kFast});
  world.Start();
  world.dispatcher->SetWanted(true);
  world.Submit(1);
  world.Pass(seconds(2));
  ASSERT_EQ(world.decoded.size(), 1u);
  EXPECT_EQ(TextOf(world.decoded[0]), "cpu 0+4000");
  world.Pass(seconds(10));
  world.Submit(2);
  world.Pass(seconds(2));
  EXPECT_EQ(TextOf(world.decoded.at(1)), "big 0+4000");
  EXPECT_EQ(world.runners.size(), 1u);
}

// --- ends --------------------------------------------------------------------------------------

TEST(Dispatcher, CancellingOneLeavesTheOthersInOrder) {
  Loaded world;
  for (std::uint64_t id = 1; id <= 4; ++id) world.Submit(id);
  EXPECT_TRUE(world.dispatcher->Cancel({.id = 1}));  // runs
  EXPECT_TRUE(world.dispatcher->Cancel({.id = 3}));  // waits
  EXPECT_FALSE(world.dispatcher->Cancel({.id = 9}));
  world.Pass(seconds(5));
  ASSERT_EQ(world.decoded.size(), 4u);
  std::vector<bool> ok;
  for (std::uint64_t id = 1; id <= 4; ++id) {
    EXPECT_EQ(world.decoded[id - 1].id, id);
    ok.push_back(world.decoded[id - 1].result.has_value());
  }
  EXPECT_THAT(ok, ElementsAre(false, true, false, true));
}

TEST(Dispatcher, WhatIsLeftAtTheEndIsAnsweredInOrder) {
  Loaded world;
  for (std::uint64_t id = 1; id <= 3; ++id) world.Submit(id);
  world.dispatcher.reset();
  ASSERT_EQ(world.decoded.size(), 3u);
  EXPECT_EQ(world.decoded[2].result.error().code, Errc::kCancelled);
}

TEST(Dispatcher, UtterancesThatMakeNoSenseAreRefused) {
  EXPECT_EQ(Validate(Utterance{}).error().code, Errc::kInvalid);
  EXPECT_EQ(Validate({.audio = FakeWorld::Sound(seconds(601))}).error().code, Errc::kInvalid);
  EXPECT_TRUE(Validate(Utterance{.audio = FakeWorld::Sound(seconds(1))}));
}

}  // namespace
}  // namespace headroom::asr
