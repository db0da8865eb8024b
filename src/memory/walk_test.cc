// Thousands of random schedules against a simple world, and what must hold in every one of them.
// HEADROOM_SEED=n runs that one alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "base/dirs.h"
#include "memory/testing/governor_fixture.h"

namespace headroom::memory {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class Walk {
 public:
  explicit Walk(unsigned seed) : random_(seed) {
    Policy policy = MakePolicy();
    if (seed % 3 == 0) policy.tiers[0] = MakePlan("big", DeviceKind::kDiscrete, 3000, 200, 400);
    night_ = Night(std::move(policy));
  }

  /// "" or what went wrong.
  std::string Run() {
    for (int i = 0; i < 200; ++i) {
      Disturb();
      const int steps = Pick(1, 40);
      for (int j = 0; j < steps; ++j) {
        if (std::string wrong = Step(); !wrong.empty()) return wrong;
      }
    }
    Calm();
    for (int i = 0; i < 4 * 3600; ++i) {
      if (std::string wrong = Step(); !wrong.empty()) return wrong;
    }
    if (night_.Loaded() != "big/30") return "hours of calm end in " + night_.Loaded();
    return "";
  }

 private:
  int Pick(int from, int to) { return std::uniform_int_distribution(from, to)(random_); }

  void Disturb() {
    Sample& sample = night_.sample;
    switch (Pick(0, 11)) {
      case 0:
        night_.others = MiB(Pick(0, 4096));
        break;
      case 1:
        night_.others = MiB(std::max<std::int64_t>(0, (night_.others.n >> 20) + Pick(-300, 300)));
        break;
      case 2:
        night_.others = MiB(0);
        break;
      case 3:
        sample.failure = static_cast<Failure>(Pick(0, 4));
        break;
      case 4:
        sample.ram = Megabytes(Pick(200, 5000));
        break;
      case 5:
        sample.psi_full = Pick(0, 30);
        break;
      case 6:
        sample.suspending = true;
        break;
      case 7:
        sample.resumed = true;
        break;
      case 8:
        sample.wanted = Pick(0, 3) > 0;
        break;
      case 9:
        night_.gpu_answers = Pick(0, 3) > 0;
        break;
      case 10:
        sample.yielded = Pick(0, 3) == 0;
        break;
      case 11:
        sample.ram = Megabytes(300);
        sample.psi_full = 0;
        break;
    }
    sample.decoding = sample.wanted && Pick(0, 1) == 0;
    sample.decode_left = Milliseconds(Pick(0, 2000));
    outside_ = true;
  }

  void Calm() {
    night_.others = MiB(0);
    night_.gpu_answers = true;
    night_.sample.ram = Megabytes(300);
    night_.sample.psi_full = 0;
    night_.sample.wanted = true;
    night_.sample.decoding = night_.sample.yielded = false;
    outside_ = true;
  }

  std::string Step() {
    const auto before = night_.state.target;
    const auto actions = night_.Step(Milliseconds(outside_ ? 100 : 1000));
    for (const Action& action : actions) {
      if (action.reason.empty()) return fmt::format("{} without a reason", Name(action.kind));
      if (action.kind != ActionKind::kLoad) continue;
      const auto use = PlannedUse(night_.policy, night_.state);
      if (use && use->n * 100 > MiB(4096).n * 85)
        return fmt::format("budget: {} planned", FormatBinary(*use));
      // Up between two loaded tiers, or down: without outside change once in ten minutes.
      if (!before || outside_) continue;
      if (changed_ && night_.now - *changed_ < minutes(10) && calm_)
        return fmt::format("flaps to {}: {}", night_.Loaded(), action.reason);
      changed_ = night_.now;
      calm_ = true;
    }
    if (outside_) {
      calm_ = false;  // the next change answers to what happened just now
      changed_.reset();
    }
    outside_ = false;
    return "";
  }

  std::mt19937 random_;
  Night night_;
  bool outside_ = true, calm_ = false;
  std::optional<MonoTime> changed_;
};

TEST(Walk, InvariantsHoldInEverySchedule) {
  const std::string one = Environment("HEADROOM_SEED");
  const unsigned first = one.empty() ? 1 : static_cast<unsigned>(std::atoi(one.c_str()));
  const unsigned last = one.empty() ? 400 : first;
  for (unsigned seed = first; seed <= last; ++seed) {
    const std::string wrong = Walk(seed).Run();
    ASSERT_EQ(wrong, "") << "again with: HEADROOM_SEED=" << seed
                         << " memory_test --gtest_filter=Walk.*";
  }
}

// Not a limit, a number: how many quiet steps one core makes in a second.
TEST(Walk, Speed) {
  Night night;
  night.Pass(seconds(60));
  const Clock& clock = SystemClock();
  const MonoTime begin = clock.Now();
  constexpr int kSteps = 100'000;
  State state = night.state;
  MonoTime now = night.now;
  for (int i = 0; i < kSteps; ++i)
    state = Step(night.policy, std::move(state), night.sample, now += Milliseconds(100)).state;
  const double took = std::chrono::duration<double>(clock.Now() - begin).count();
  fmt::print("governor: {:.0f} steps a second\n", kSteps / took);
  EXPECT_EQ(state.target, night.state.target);
}

}  // namespace
}  // namespace headroom::memory
