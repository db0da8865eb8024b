// Each row of the governor's table, as samples and the actions they lead to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "memory/testing/governor_fixture.h"

namespace headroom::memory {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

// A night with the best tier loaded and all quiet.
Night Loaded(Policy policy = MakePolicy()) {
  Night night(std::move(policy));
  night.Step();
  night.Pass(seconds(60));
  EXPECT_EQ(night.Loaded(), "big/30");
  return night;
}

TEST(Governor, LoadsWhenListeningBeginsAndNotBefore) {
  Night night;
  night.sample.wanted = false;
  EXPECT_EQ(ActionKinds(night.Pass(seconds(10))), "");
  night.sample.wanted = true;
  EXPECT_EQ(ActionKinds(night.Step()), "load");
  EXPECT_EQ(night.Loaded(), "big/30");
  EXPECT_EQ(ActionKinds(night.Pass(minutes(60))), "");
}

TEST(Governor, AdmissionCountsOthersAndPrefersAShorterChunkToALowerTier) {
  const struct {
    std::int64_t others;
    const char* loaded;
  } kRows[] = {{0, "big/30"},      {1800, "big/30"}, {1900, "big/15"}, {2000, "small/30"},
               {2776, "small/30"}, {2777, "cpu/30"}, {4000, "cpu/30"}};
  for (const auto& row : kRows) {
    Night night;
    night.others = MiB(row.others);
    night.Step();
    EXPECT_EQ(night.Loaded(), row.loaded) << row.others;
  }
}

TEST(Governor, VramWarningNotifiesAndShrinksAtTheNextPause) {
  Night night = Loaded();
  night.sample.decoding = true;
  night.others = MiB(1350);  // with 1600 of ours 72 %
  const auto actions = night.Step();
  EXPECT_EQ(ActionKinds(actions), "zone tell stop_speculation");
  EXPECT_THAT(actions[1].reason, HasSubstr("72 % full (2950 of 4096 MiB, 1350 by others)"));
  EXPECT_EQ(ActionKinds(night.Pass(seconds(5))), "");
  night.sample.decoding = false;
  EXPECT_EQ(ActionKinds(night.Step()), "end_worker load");
  EXPECT_EQ(night.Loaded(), "big/15");
  EXPECT_EQ(ActionKinds(night.Pass(seconds(5))), "zone");
  EXPECT_EQ(ActionKinds(night.Pass(seconds(40))), "allow_speculation");
}

TEST(Governor, VramWarningKeepsWhatStillFitsWhenNothingSmallerWouldHelp) {
  Night night;
  night.others = MiB(2776);
  night.Step();
  ASSERT_EQ(night.Loaded(), "small/30");
  night.Pass(seconds(60));
  night.others = MiB(2700);
  night.Pass(seconds(60));
  EXPECT_EQ(night.Loaded(), "small/30");
}

TEST(Governor, VramDangerEndsTheWorkerAndTheNextPlanDecodesAgain) {
  Night night = Loaded();
  night.sample.decoding = true;  // for an unknown time
  night.others = MiB(1950);      // 87 %
  const auto actions = night.Step();
  EXPECT_EQ(ActionKinds(actions), "zone tell stop_speculation end_worker load");
  EXPECT_TRUE(actions.back().again);
  EXPECT_EQ(night.Loaded(), "big/15");
  night.others = MiB(2300);
  night.Step();
  EXPECT_EQ(night.Loaded(), "small/30");
}

TEST(Governor, VramDangerLetsAnUtteranceEndThatNeedsNoLongerThanHalfASecond) {
  Night night = Loaded();
  night.sample.decoding = true;
  night.sample.decode_left = Milliseconds(400);
  night.others = MiB(2000);
  EXPECT_EQ(ActionKinds(night.Step()), "zone tell finish_utterance");
  EXPECT_EQ(ActionKinds(night.Step()), "");
  night.sample.decoding = false;
  const auto actions = night.Step();
  EXPECT_EQ(ActionKinds(actions), "stop_speculation end_worker load");
  EXPECT_FALSE(actions.back().again);

  Night late = Loaded();  // it does not end after all
  late.sample.decoding = true;
  late.sample.decode_left = Milliseconds(400);
  late.others = MiB(2000);
  late.Step();
  EXPECT_EQ(late.Loaded(), "big/30");
  late.Step(Milliseconds(500));
  EXPECT_EQ(late.Loaded(), "small/30");
}

TEST(Governor, VramCriticalLeavesTheGpuAtOnce) {
  Night night = Loaded();
  night.sample.decoding = true;
  night.sample.decode_left = Milliseconds(10);
  night.others = MiB(2400);  // 98 %; the small tier would fit beside it
  EXPECT_EQ(ActionKinds(night.Step()), "zone tell stop_speculation end_worker load");
  EXPECT_EQ(night.Loaded(), "cpu/30");
}

TEST(Governor, WhatAPlanCountedIsNotActedOn) {
  Policy policy = MakePolicy();
  policy.tiers[0] = MakePlan("big", DeviceKind::kDiscrete, 3100, 200, 400);  // 76 %, peak 81 %
  Night night(std::move(policy));
  night.Step();
  EXPECT_EQ(night.Loaded(), "big/30");
  const auto actions = night.Pass(minutes(120));
  EXPECT_EQ(ActionKinds(actions), "zone");  // reported as it is, without a notice
  night.others = MiB(60);                   // a window opens: noise
  EXPECT_EQ(ActionKinds(night.Pass(minutes(60))), "");
  EXPECT_EQ(night.Loaded(), "big/30");
}

TEST(Governor, ExcessOverThePlanIsLearnedOnce) {
  Night night = Loaded();
  night.excess = MiB(400);  // 49 %: wrong, but harmless
  const auto actions = night.Pass(minutes(30));
  EXPECT_EQ(ActionKinds(actions), "correct_plan");
  EXPECT_EQ(actions[0].bytes, MiB(400));
  EXPECT_EQ(night.Loaded(), "big/30");
  night.excess = MiB(2000);  // 88 %
  EXPECT_EQ(ActionKinds(night.Step()), "zone tell correct_plan stop_speculation end_worker load");
  night.excess = Bytes(0);
  night.Pass(minutes(120));
  EXPECT_NE(night.Loaded(), "big/30");  // what it took is what it is planned with now
}

TEST(Governor, EveryFailureEndsTheWorkerAndTheNextTierDecodesAgain) {
  const struct {
    Failure failure;
    const char* next;
    int cool_down_s;
  } kRows[] = {{Failure::kOutOfMemory, "small/30", 60},
               {Failure::kSticky, "small/30", 30},
               {Failure::kLost, "cpu/30", 300},
               {Failure::kHang, "small/30", 120},
               {Failure::kCrash, "small/30", 60}};
  for (const auto& row : kRows) {
    Night night = Loaded();
    night.sample.decoding = true;
    night.sample.failure = row.failure;
    const auto actions = night.Step();
    EXPECT_TRUE(Has(actions, ActionKind::kEndWorker)) << Name(row.failure);
    EXPECT_TRUE(Has(actions, ActionKind::kQuarantine));
    EXPECT_EQ(actions.back().kind, ActionKind::kLoad);
    EXPECT_TRUE(actions.back().again);
    EXPECT_EQ(night.Loaded(), row.next) << Name(row.failure);
    EXPECT_EQ(actions[1].within, seconds(row.cool_down_s));
  }
}

TEST(Governor, QuarantineDoublesAndThereIsOneReturnInTenMinutes) {
  Night night = Loaded();
  std::vector<Milliseconds> cool_downs;
  for (int i = 0; i < 5; ++i) {
    night.sample.failure = Failure::kSticky;
    for (const Action& action : night.Step())
      if (action.kind == ActionKind::kQuarantine) cool_downs.push_back(action.within);
    EXPECT_EQ(night.Loaded(), "small/30");
    night.sample.decoding = false;
    night.Pass(seconds(590));
    EXPECT_EQ(night.Loaded(), "small/30");
    night.Pass(seconds(30));
    EXPECT_EQ(night.Loaded(), "big/30");
  }
  EXPECT_EQ(cool_downs, (std::vector<Milliseconds>{seconds(30), seconds(60), seconds(120),
                                                   seconds(240), seconds(480)}));
}

TEST(Governor, WhenEveryTierFailedSpeechIsKeptUntilTheCpuMayTryAgain) {
  Night night = Loaded();
  for (int i = 0; i < 3; ++i) {
    night.sample.failure = Failure::kCrash;
    night.Step();
  }
  EXPECT_EQ(night.Loaded(), "none");
  EXPECT_TRUE(Has(night.all, ActionKind::kPauseDecoding));
  EXPECT_EQ(ActionKinds(night.Pass(seconds(8))), "");
  EXPECT_EQ(ActionKinds(night.Pass(seconds(5))), "resume_decoding load");
}

TEST(Governor, RamWarningDropsCachesAndGoesOn) {
  Night night = Loaded();
  night.sample.ram = Megabytes(2100);
  EXPECT_EQ(ActionKinds(night.Step()), "zone tell drop_caches");
  EXPECT_EQ(ActionKinds(night.Pass(minutes(4))), "");
  EXPECT_EQ(ActionKinds(night.Pass(minutes(2))), "drop_caches");
  EXPECT_EQ(night.Loaded(), "big/30");
}

TEST(Governor, DangerOnTheHostPausesAndComesBackWithDoublingPatience) {
  const auto press = [](Night& night, int which, bool on) {
    if (which == 0) night.sample.ram = Megabytes(on ? 4100 : 300);
    if (which == 1) night.sample.swap = Megabytes(on ? 1300 : 0);
    if (which == 2) night.sample.psi_full = on ? 25 : 0;
  };
  for (int which = 0; which < 3; ++which) {
    Night night = Loaded();
    Milliseconds patience = seconds(30);
    for (int i = 0; i < 3; ++i, patience *= 2) {
      press(night, which, true);
      EXPECT_EQ(ActionKinds(night.Step()).find("pause_decoding") == std::string::npos, false);
      EXPECT_EQ(night.Loaded(), "none");
      EXPECT_EQ(ActionKinds(night.Pass(seconds(20))), "");
      press(night, which, false);
      EXPECT_FALSE(Has(night.Pass(patience - seconds(1)), ActionKind::kResumeDecoding)) << which;
      EXPECT_TRUE(Has(night.Pass(seconds(3)), ActionKind::kResumeDecoding)) << which << " " << i;
      EXPECT_EQ(night.Loaded(), "big/30");
    }
  }
}

TEST(Governor, RamCriticalSavesAndRestartsOnce) {
  Night night = Loaded();
  night.sample.ram = Megabytes(6000);
  EXPECT_EQ(ActionKinds(night.Step()), "zone tell save_and_restart pause_decoding end_worker");
  EXPECT_EQ(ActionKinds(night.Pass(minutes(9))), "");
  State next;  // after the restart, with what was saved
  next.restart_at = night.state.restart_at;
  night.state = next;
  EXPECT_FALSE(Has(night.Step(), ActionKind::kSaveAndRestart));
}

TEST(Governor, OwnMemoryThatStaysInDangerAfterAllEndedIsARestart) {
  Night night = Loaded();
  night.sample.swap = Megabytes(1300);
  EXPECT_FALSE(Has(night.Pass(seconds(290)), ActionKind::kSaveAndRestart));
  EXPECT_TRUE(Has(night.Pass(seconds(20)), ActionKind::kSaveAndRestart));
  Night busy = Loaded();  // the host's pressure is not ours to restart for
  busy.sample.psi_full = 90;
  EXPECT_FALSE(Has(busy.Pass(minutes(30)), ActionKind::kSaveAndRestart));
}

TEST(Governor, IdleForFiveMinutesEndsTheWorker) {
  Night night = Loaded();
  night.sample.wanted = false;
  EXPECT_EQ(ActionKinds(night.Pass(seconds(299))), "");
  EXPECT_EQ(ActionKinds(night.Pass(seconds(3))), "end_worker");
  EXPECT_EQ(ActionKinds(night.Pass(minutes(60))), "");
  night.sample.wanted = true;
  EXPECT_EQ(ActionKinds(night.Step()), "load");
}

TEST(Governor, SuspendEndsTheWorkerAndResumeLoadsOnDemand) {
  Night night = Loaded();
  night.sample.suspending = true;
  EXPECT_EQ(ActionKinds(night.Step()), "end_worker");
  EXPECT_EQ(ActionKinds(night.Pass(seconds(30))), "");
  night.sample.resumed = true;
  EXPECT_EQ(ActionKinds(night.Step()), "load");
  night.sample.suspending = true;  // and no one reports that it was cancelled
  night.Step();
  EXPECT_EQ(ActionKinds(night.Pass(seconds(55))), "");
  EXPECT_EQ(ActionKinds(night.Pass(seconds(10))), "load");
}

TEST(Governor, YieldLeavesTheGpuAndComesBack) {
  Night night = Loaded();
  night.sample.yielded = true;
  EXPECT_TRUE(Has(night.Step(), ActionKind::kEndWorker));
  EXPECT_EQ(night.Loaded(), "cpu/30");
  night.Pass(minutes(60));
  EXPECT_EQ(night.Loaded(), "cpu/30");
  night.sample.yielded = false;
  night.Pass(seconds(35));
  EXPECT_EQ(night.Loaded(), "big/30");
}

TEST(Governor, ASilentGpuIsAWarningAndThenLost) {
  Night night = Loaded();
  night.gpu_answers = false;
  EXPECT_EQ(ActionKinds(night.Pass(seconds(1))), "");
  EXPECT_EQ(ActionKinds(night.Pass(seconds(2))), "zone tell stop_speculation");
  night.Pass(seconds(8));
  EXPECT_EQ(night.Loaded(), "cpu/30");
  night.Pass(minutes(30));
  EXPECT_EQ(night.Loaded(), "cpu/30");
  night.gpu_answers = true;
  night.Pass(seconds(35));
  EXPECT_EQ(night.Loaded(), "big/30");
}

TEST(Governor, AGpuThatRestsIsNotSilent) {
  Night night = Loaded();
  night.sample.wanted = false;
  night.Pass(minutes(10));
  ASSERT_EQ(night.Loaded(), "none");
  night.gpu_answers = false;
  night.sample.gpu_rests = true;
  EXPECT_EQ(ActionKinds(night.Pass(minutes(30))), "");
  night.sample.gpu_rests = false;
  EXPECT_NE(ActionKinds(night.Pass(seconds(3))), "") << "now it should have answered";
}

TEST(Governor, WithoutAGpuEverTheCpuIsUsedQuietly) {
  Night night;
  night.gpu_answers = false;
  EXPECT_EQ(ActionKinds(night.Pass(minutes(10))), "load");
  EXPECT_EQ(night.Loaded(), "cpu/30");
}

TEST(Governor, NonsenseInSamplesIsUnknown) {
  Night night = Loaded();
  Sample bad = night.sample;
  bad.vram_used = Bytes(-5);
  bad.vram_total = Bytes(std::numeric_limits<std::int64_t>::max());
  bad.ram = Bytes(-1);
  bad.swap = Bytes(std::numeric_limits<std::int64_t>::min());
  bad.psi_full = std::nan("");
  bad.psi_some = std::numeric_limits<double>::infinity();
  bad.failed_tier = 99;
  bad.failure = Failure::kCrash;
  bad.decode_left = Milliseconds(-1);
  const Outcome outcome = Step(night.policy, night.state, bad, night.now + seconds(1));
  EXPECT_EQ(ActionKinds(outcome.actions), "");
  const Outcome earlier = Step(night.policy, night.state, night.sample, MonoTime{});
  EXPECT_EQ(ActionKinds(earlier.actions), "");
  EXPECT_EQ(earlier.state.last, night.state.last);
}

TEST(Governor, SetupsThatMakeNoSenseAreRefused) {
  EXPECT_TRUE(Validate(MakePolicy()));
  const auto refused = [](auto change) {
    Policy policy = MakePolicy();
    change(policy);
    return !Validate(policy);
  };
  EXPECT_TRUE(refused([](Policy& s) { s.tiers.clear(); }));
  EXPECT_TRUE(refused([](Policy& s) { s.tiers.resize(kMaxTiers + 1, s.tiers[0]); }));
  EXPECT_TRUE(refused([](Policy& s) { s.chunks = {}; }));
  EXPECT_TRUE(refused([](Policy& s) { s.chunks = {seconds(8), seconds(15)}; }));
  EXPECT_TRUE(refused([](Policy& s) { s.thresholds.vram.warning = 99; }));
  EXPECT_TRUE(refused([](Policy& s) { s.rules.safe = std::nan(""); }));
}

}  // namespace
}  // namespace headroom::memory
