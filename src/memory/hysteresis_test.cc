// When the governor goes up again.
#include <gtest/gtest.h>

#include "memory/testing/governor_fixture.h"

namespace headroom::memory {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

Night Left(std::int64_t others) {
  Night night;
  night.Step();
  night.Pass(seconds(60));
  night.others = MiB(others);
  night.Step();
  return night;
}

TEST(Hysteresis, BackAfterThirtySecondsWhenTheNeighbourHasGone) {
  Night night = Left(3000);
  ASSERT_EQ(night.Loaded(), "cpu/30");
  night.Pass(minutes(20));
  EXPECT_EQ(night.Loaded(), "cpu/30");
  night.others = MiB(0);
  night.Pass(seconds(30));
  EXPECT_EQ(night.Loaded(), "cpu/30");
  night.Pass(seconds(2));
  EXPECT_EQ(night.Loaded(), "big/30");
}

TEST(Hysteresis, NotWhileAnUtteranceIsDecoded) {
  Night night = Left(3000);
  night.others = MiB(0);
  night.sample.decoding = true;
  night.Pass(minutes(5));
  EXPECT_EQ(night.Loaded(), "cpu/30");
  night.sample.decoding = false;
  night.Step();
  EXPECT_EQ(night.Loaded(), "big/30");
}

TEST(Hysteresis, PatienceDoublesEachTimeItHadToLeaveAgain) {
  Night night = Left(3000);
  Milliseconds patience = seconds(30);
  for (int i = 0; i < 5; ++i, patience *= 2) {
    night.others = MiB(0);
    night.Pass(patience);
    EXPECT_EQ(night.Loaded(), "cpu/30") << i;
    night.Pass(seconds(3));
    EXPECT_EQ(night.Loaded(), "big/30") << i;
    night.others = MiB(3000);
    night.Step();
    EXPECT_EQ(night.Loaded(), "cpu/30") << i;
  }
  // And is forgotten after a long quiet time up there.
  night.others = MiB(0);
  night.Pass(minutes(120));
  night.others = MiB(3000);
  night.Step();
  night.others = MiB(0);
  night.Pass(seconds(33));
  EXPECT_EQ(night.Loaded(), "big/30");
}

TEST(Hysteresis, AShortQuietProvesNothing) {
  Night night = Left(3000);
  for (int i = 0; i < 100; ++i) {
    night.others = MiB(0);
    night.Pass(seconds(25));
    night.others = MiB(3000);
    night.Pass(seconds(5));
    EXPECT_EQ(night.Loaded(), "cpu/30");
  }
  // Nor does a quiet time without samples.
  night.others = MiB(0);
  night.Step();
  night.Step(minutes(5));
  EXPECT_EQ(night.Loaded(), "cpu/30");
}

TEST(Hysteresis, TheZoneAfterTheMoveMustBeTheLowerOne) {
  Night night;
  night.Step();
  night.Pass(seconds(60));
  night.others = MiB(1350);  // warning: 72 %
  night.Step();
  ASSERT_EQ(night.Loaded(), "big/15");
  night.others = MiB(1300);  // big/30 would be at 70.8 %
  night.Pass(minutes(60));
  EXPECT_EQ(night.Loaded(), "big/15");
  night.others = MiB(1240);  // 69 %
  night.Pass(seconds(40));
  EXPECT_EQ(night.Loaded(), "big/30");
}

TEST(Hysteresis, AModelThatItselfLiesInTheWarningZoneComesBackAndStays) {
  Policy policy = MakePolicy();
  policy.tiers[0] = MakePlan("big", DeviceKind::kDiscrete, 3100, 200, 400);
  Night night(std::move(policy));
  night.others = MiB(50);
  night.Step();
  ASSERT_EQ(night.Loaded(), "big/30");
  night.Pass(seconds(60));
  night.others = MiB(150);  // grew: 84 %
  night.Step();
  EXPECT_NE(night.Loaded(), "big/30");
  night.others = MiB(50);  // as it was when it was loaded
  night.Pass(minutes(11));
  EXPECT_EQ(night.Loaded(), "big/30");
  const std::size_t before = night.all.size();
  night.Pass(minutes(180));
  for (std::size_t i = before; i < night.all.size(); ++i)
    EXPECT_NE(night.all[i].kind, ActionKind::kLoad);
}

TEST(Hysteresis, TheReportIsNotRepeatedAtTheThreshold) {
  Night night = Left(3000);
  int notices = 0;
  for (int i = 0; i < 120; ++i) {
    night.others = MiB(i % 2 ? 3480 : 3490);  // 84.96 % and 85.2 %
    for (const Action& action : night.Step(seconds(1)))
      notices += action.kind == ActionKind::kNotify;
  }
  EXPECT_LE(notices, 1);
}

}  // namespace
}  // namespace headroom::memory
