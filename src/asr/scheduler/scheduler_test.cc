// The scheduler with its thread and real worker processes of the scripted engine.
#include "asr/scheduler/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asr/scheduler/worker_runner.h"
#include "asr/testing/scripted_tier.h"

namespace headroom::asr {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

// What came out, waited for with a generous deadline.
class Out {
 public:
  SchedulerEvents events() {
    SchedulerEvents to;
    to.on_decoded = [this](Decoded one) {
      const std::lock_guard lock(mutex_);
      decoded_.push_back(std::move(one));
      changed_.notify_all();
    };
    to.on_speculated = [this](Speculated) {
      const std::lock_guard lock(mutex_);
      ++speculated_;
      changed_.notify_all();
    };
    return to;
  }
  std::vector<Decoded> Await(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(60), [&] { return decoded_.size() >= count; });
    EXPECT_EQ(decoded_.size(), count);
    return decoded_;
  }
  bool AwaitSpeculated(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(60), [&] { return speculated_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Decoded> decoded_;
  int speculated_ = 0;
};

Utterance Say(std::uint64_t id, std::size_t samples = 16000, Ticket adopt = 0) {
  Utterance utterance{.id = id,
                      .request = {},
                      .samples = std::make_shared<const std::vector<float>>(samples, 0.1F),
                      .adopt = adopt};
  utterance.request.language = "en";
  return utterance;
}

std::unique_ptr<Scheduler> Make(Out& out, std::vector<Tier> tiers) {
  auto made = Scheduler::Make({.tiers = std::move(tiers)}, out.events(), std::make_unique<Still>());
  EXPECT_TRUE(made) << made.error().what;
  return made ? std::move(*made) : nullptr;
}

TEST(Scheduler, DecodesInARealProcess) {
  Out out;
  const auto scheduler = Make(out, {Scripted("slow=5")});
  scheduler->SetWanted(true);
  for (std::uint64_t id = 1; id <= 5; ++id) ASSERT_TRUE(scheduler->Submit(Say(id, 1600 * id)));
  const auto decoded = out.Await(5);
  for (std::uint64_t id = 1; id <= 5; ++id) {
    ASSERT_TRUE(decoded[id - 1].result) << decoded[id - 1].result.error().what;
    EXPECT_EQ(decoded[id - 1].id, id);
    EXPECT_EQ(decoded[id - 1].result->transcript.segments.at(0).text,
              fmt::format("{} samples in en", 1600 * id));
  }
  EXPECT_GE(scheduler->status().counts.decoded, 4);  // as of the turn before the last
}

TEST(Scheduler, AWorkerThatAbortsIsFollowedByTheNextTier) {
  Out out;
  const auto scheduler = Make(out, {Scripted("abort"), Scripted("exit=3"), Scripted("slow=1")});
  ASSERT_TRUE(scheduler->Submit(Say(1)));
  const Decoded decoded = out.Await(1).at(0);
  ASSERT_TRUE(decoded.result) << decoded.result.error().what;
  EXPECT_EQ(decoded.failures, 2);
  EXPECT_THAT(decoded.tier, HasSubstr("slow=1"));
}

TEST(Scheduler, AModelThatCannotBeLoadedIsAnErrorInWords) {
  Out out;
  const auto scheduler = Make(out, {Scripted("fail-load")});
  ASSERT_TRUE(scheduler->Submit(Say(1)));
  const Decoded decoded = out.Await(1).at(0);
  ASSERT_FALSE(decoded.result);
  EXPECT_THAT(decoded.result.error().what, HasSubstr("not a model"));
}

TEST(Scheduler, SpeculationIsAdopted) {
  Out out;
  const auto scheduler = Make(out, {Scripted("slow=30")});
  scheduler->SetWanted(true);
  ASSERT_TRUE(scheduler->Submit(Say(1)));
  out.Await(1);
  const Ticket ticket = scheduler->Speculate(Say(2, 8000));
  ASSERT_NE(ticket, 0u);
  ASSERT_TRUE(out.AwaitSpeculated(1));
  ASSERT_TRUE(scheduler->Submit(Say(2, 8800, ticket)));
  const Decoded decoded = out.Await(2).at(1);
  EXPECT_TRUE(decoded.adopted);
  EXPECT_EQ(decoded.result->transcript.segments.at(0).text, "8000 samples in en");
}

TEST(Scheduler, EndingItAnswersWhatWaitsAndEndsAHangingWorker) {
  Out out;
  auto scheduler = Make(out, {Scripted("hang")});
  for (std::uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(scheduler->Submit(Say(id)));
  scheduler.reset();
  const auto decoded = out.Await(3);
  EXPECT_EQ(decoded[0].result.error().code, Errc::kCancelled);
  EXPECT_EQ(decoded[2].id, 3u);
}

TEST(Scheduler, SuspendReturnsWhenTheWorkersAreGone) {
  Out out;
  const auto scheduler = Make(out, {Scripted("hang")});
  ASSERT_TRUE(scheduler->Submit(Say(1)));
  EXPECT_TRUE(scheduler->Suspend(seconds(30)));
  EXPECT_TRUE(scheduler->Yield(true, seconds(30))) << "nothing is on a card";
}

TEST(Scheduler, RefusesNonsense) {
  Out out;
  EXPECT_EQ(Scheduler::Make({}, out.events(), std::make_unique<Still>()).error().code,
            Errc::kInvalid);
  const auto scheduler = Make(out, {Scripted("slow=1")});
  EXPECT_EQ(scheduler->Submit({}).error().code, Errc::kInvalid);
  EXPECT_EQ(scheduler->Speculate({}), 0u);
}

TEST(WorkerRunner, HoldsTheGpusLockForItsLife) {
  const auto folder =
      std::filesystem::path(testing::TempDir()) / fmt::format("headroom-locks-{}", ::getpid());
  Tier tier = Scripted("slow=1");
  tier.device = "0000:01:00.0";
  WorkerRunnerMaker maker({.locks = folder});
  EXPECT_TRUE(maker.Free(tier));
  {
    const auto runner = maker.Make(tier, [] {});
    ASSERT_TRUE(runner);
    EXPECT_FALSE(maker.Free(tier));
    EXPECT_EQ(maker.Make(tier, [] {}).error().code, Errc::kBusy);
    Tier other = tier;
    other.device = "0000:02:00.0";
    EXPECT_TRUE(maker.Free(other));
  }
  EXPECT_TRUE(maker.Free(tier));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace headroom::asr
