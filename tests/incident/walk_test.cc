// Thousands of nights with a failing card, each in a few milliseconds: the dispatcher, the governor
// and the crew as they are, workers that are only numbers, and a clock of our own. What must hold
// in every night is checked in every turn. HEADROOM_SEED=n repeats one.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "asr/testing/fake_world.h"
#include "base/dirs.h"

namespace headroom::asr {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr int kNights = 2000;

class Night {
 public:
  explicit Night(unsigned seed) : random_(seed), seed_(seed) {
    // In every other night the card decodes up to four utterances at once.
    memory::Policy policy = seed % 4 < 2 ? memory::MakePolicy() : memory::MakeBatchPolicy();
    // A resident model that itself lies in the warning zone: 3300 of 4096 MiB.
    if (seed % 3 == 0) policy.tiers[0].weights = MiB(3000);
    // Most nights are short ones: every patience is a tenth.
    scale_ = seed % 20 == 0 ? 1 : 10;
    memory::Timing& t = policy.timing;
    for (Milliseconds* time : {&t.hold, &t.hold_longest, &t.between_changes, &t.steady, &t.idle,
                               &t.cool_down_longest, &t.restart_after, &t.drop_again})
      *time /= scale_;
    SchedulerOptions options{.when_cold = seed % 2 ? WhenCold::kWait : WhenCold::kFast,
                             .most_waiting = 20,
                             .give_up = seconds(120) / scale_,
                             .one_by_one = minutes(10) / scale_ / (seed % 5 + 1)};
    world_.emplace(std::move(policy), std::move(options));
    world_->load_time = Milliseconds(Pick(200, 6000));
    world_->end_time = Milliseconds(Pick(20, 400));
    world_->cancel_kills = Pick(0, 3) == 0;
    world_->faults_everywhere = Pick(0, 4) == 0;
    world_->rate = Pick(2, 40) / 100.0;
    world_->on_action = [this](const memory::Action& action) { OnAction(action); };
    world_->Start();
  }

  /// "" or what went wrong.
  std::string Run() {
    for (int i = 0; i < 60 && wrong_.empty(); ++i) {
      Disturb();
      if (Pick(0, 2) == 0) world_->dispatcher->SetWanted(wanted_ = Pick(0, 4) > 0);
      // Many at once, too: what waits is decoded together.
      if (Pick(0, 1) == 0)
        for (int n = Pick(0, 3) == 0 ? Pick(2, 8) : 1; n > 0; --n) Speak();
      Advance(Milliseconds(Pick(10, Pick(0, 3) == 0 ? 30'000 : 3'000)));
    }
    Calm();
    // A run that hangs is given up after minutes, an utterance without a tier after two.
    for (int i = 0; i < 60 && world_->decoded.size() < submitted_.size(); ++i) Advance(seconds(20));
    Advance(seconds(20));
    CheckDecoded();
    calm_ = true;
    Advance(minutes(80) / scale_);
    if (wrong_.empty() && world_->Ready() != "big")
      wrong_ = fmt::format("calm ends with \"{}\"", world_->Ready());
    if (wrong_.empty() && world_->dispatcher->status().chunk != seconds(30))
      wrong_ = "calm ends with a short chunk";
    return wrong_;
  }
  int utterances() const { return static_cast<int>(submitted_.size()); }
  int failures() const { return injected_; }
  int together() const {
    return static_cast<int>(
        std::ranges::count_if(world_->clips, [](std::size_t clips) { return clips > 1; }));
  }
  int failed_together() const { return static_cast<int>(world_->failed_together.size()); }

 private:
  int Pick(int from, int to) { return std::uniform_int_distribution(from, to)(random_); }

  void Disturb() {
    memory::Sample& numbers = world_->numbers;
    switch (Pick(0, 14)) {
      case 0:
        world_->others = MiB(Pick(0, 4096));
        break;
      case 1:
        world_->others = MiB(3900);  // 95 %
        break;
      case 2:
      case 3:
        world_->others = MiB(0);
        break;
      case 4:
      case 5:
        for (int n = Pick(1, 3); n > 0; --n) {
          world_->faults.push_back(static_cast<Fault>(Pick(1, 6)));
          ++injected_;
        }
        break;
      case 6:
        numbers.ram = memory::Megabytes(Pick(200, 5000));
        break;
      case 7:
        numbers.psi_full = Pick(0, 30);
        break;
      case 8:
        world_->dispatcher->Suspend();
        world_->dispatcher->Tick();
        break;
      case 9:
        world_->dispatcher->Resume();
        world_->dispatcher->Tick();
        break;
      case 10:
        world_->gpu_answers = Pick(0, 3) > 0;
        break;
      case 11:
        world_->dispatcher->Yield(Pick(0, 2) == 0);
        break;
      case 12:
        world_->gpu_taken = Pick(0, 2) == 0;
        break;
      case 13:
        if (Pick(0, 1) == 0)
          world_->broken = {Pick(0, 1) == 0 ? "big" : "small"};
        else
          world_->broken.clear();
        break;
      case 14:
        world_->clip_faults = Pick(0, 2);
        break;
    }
  }

  void Calm() {
    world_->others = world_->kept = Bytes(0);
    world_->gpu_answers = true;
    world_->gpu_taken = false;
    world_->broken.clear();
    world_->faults.clear();
    world_->clip_faults = 0;
    world_->numbers.ram = memory::Megabytes(300);
    world_->numbers.psi_full = 0;
    world_->dispatcher->Yield(false);
    world_->dispatcher->Resume();
    world_->dispatcher->SetWanted(true);
    world_->dispatcher->Tick();
  }

  void Speak() {
    const Milliseconds length(Pick(500, Pick(0, 19) == 0 ? 50'000 : 4'000));
    Ticket adopt = 0;
    if (Pick(0, 2) == 0) {
      adopt = ++ticket_;
      kept_.push_back(FakeWorld::Sound(length));
      world_->dispatcher->Speculate(adopt, {.audio = kept_.back()});
      ++speculated_;
      Advance(Milliseconds(Pick(0, 900)));
      if (Pick(0, 3) == 0) world_->dispatcher->CancelSpeculation(0);
    }
    const std::uint64_t id = submitted_.size() + 1;
    Utterance utterance{.id = id, .audio = FakeWorld::Sound(length), .adopt = adopt};
    const audio::FiniteAudio samples = utterance.audio;
    if (!world_->dispatcher->Submit(std::move(utterance))) return;
    kept_.push_back(samples);
    submitted_.push_back(id);
    world_->dispatcher->Tick();
    if (Pick(0, 9) == 0) world_->dispatcher->Cancel({.id = id});
  }

  void Advance(Milliseconds time) {
    if (!wrong_.empty()) return;
    world_->Pass(time);
    if (world_->two_at_once > 0) wrong_ = "two workers on the card at once";
    if (world_->stayed_in_danger > 0) wrong_ = "stayed on a card in danger";
    if (world_->stayed > Milliseconds(500))
      wrong_ = fmt::format("left a card in danger after {} ms", world_->stayed->count());
    if (world_->decoded.size() > submitted_.size()) wrong_ = "more texts than utterances";
    for (; checked_ < world_->decoded.size(); ++checked_) {
      const Decoded& one = world_->decoded[checked_];
      if (one.id != submitted_[checked_]) wrong_ = "out of order";
      if (!one.result && one.failures == 0 && one.result.error().code != Errc::kCancelled)
        wrong_ = "an error although nothing failed: " + one.result.error().what;
      if (one.failures > 3) wrong_ = "failed more often than there are tiers";
    }
    for (const auto& [key, times] : world_->failed) {
      if (times > 1) wrong_ = fmt::format("one utterance failed {} times in {}", times, key.second);
    }
    for (const auto& [samples, times] : world_->failed_together) {
      if (times > 1) wrong_ = fmt::format("one utterance was in {} batches that failed", times);
    }
    if (world_->too_large > 0) wrong_ = "a batch that the worker was not loaded for";
  }

  void CheckDecoded() {
    if (!wrong_.empty()) return;
    if (world_->decoded.size() != submitted_.size())
      wrong_ = fmt::format("{} utterances, {} texts", submitted_.size(), world_->decoded.size());
    if (world_->speculated.size() != speculated_)
      wrong_ = fmt::format("{} tickets, {} answers", speculated_, world_->speculated.size());
  }

  void OnAction(const memory::Action& action) {
    if (action.reason.empty()) wrong_ = fmt::format("{} without a reason", Name(action.kind));
    if (action.kind != memory::ActionKind::kLoad) return;
    const memory::State& state = world_->dispatcher->governor();
    const auto use = memory::PlannedUse(world_->dispatcher->policy(), state);
    if (use && use->n * 100 > MiB(4096).n * 85)
      wrong_ = fmt::format("budget: {} planned", FormatBinary(*use));
    if (!calm_) return;
    // Nothing outside has changed since calm began: one change in ten minutes at the most.
    const MonoTime now = world_->clock.Now();
    if (changed_ && now - *changed_ < minutes(10) / scale_) wrong_ = "flaps: " + action.reason;
    changed_ = now;
  }

  std::mt19937 random_;
  const unsigned seed_;
  int scale_ = 1;
  std::optional<FakeWorld> world_;
  std::string wrong_;
  std::vector<std::uint64_t> submitted_;
  std::vector<audio::FiniteAudio> kept_;  // so that no two have the same address
  std::size_t checked_ = 0, speculated_ = 0;
  Ticket ticket_ = 0;
  int injected_ = 0;
  bool wanted_ = false, calm_ = false;
  std::optional<MonoTime> changed_;
};

TEST(IncidentWalk, WhatWasPromisedHoldsInEveryNight) {
  const std::string one = Environment("HEADROOM_SEED");
  const unsigned first = one.empty() ? 1 : static_cast<unsigned>(std::atoi(one.c_str()));
  const std::string fewer = Environment("HEADROOM_NIGHTS");  // for sanitizers
  const unsigned nights = fewer.empty() ? kNights : static_cast<unsigned>(std::atoi(fewer.c_str()));
  const unsigned last = one.empty() ? nights : first;
  ASSERT_GE(last, first);
  int utterances = 0, failures = 0, together = 0, failed_together = 0;
  for (unsigned seed = first; seed <= last; ++seed) {
    Night night(seed);
    const std::string wrong = night.Run();
    utterances += night.utterances();
    failures += night.failures();
    together += night.together();
    failed_together += night.failed_together();
    ASSERT_EQ(wrong, "") << "again with: HEADROOM_SEED=" << seed << " incident_walk_test";
  }
  fmt::print(
      "incident walk: {} nights, {} utterances, {} faults; {} batches, {} utterances in failed "
      "ones\n",
      last - first + 1, utterances, failures, together, failed_together);
  if (one.empty() && nights == kNights) {
    EXPECT_GT(failed_together, 0);
  }
}

}  // namespace
}  // namespace headroom::asr
