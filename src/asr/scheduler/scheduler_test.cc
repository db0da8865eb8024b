// The scheduler with its thread and real worker processes of the scripted engine.
#include "asr/scheduler/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asr/scheduler/worker_runner.h"
#include "asr/testing/scripted_tier.h"
#include "base/mutex.h"

namespace headroom::asr {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

// What came out, waited for with a generous deadline.
class Out {
 public:
  ClientEvents events(const std::string& name = "") {
    ClientEvents to;
    to.on_decoded = [this, name](Decoded one) {
      const MutexLock lock(mutex_);
      order_.push_back(name + ":" + std::to_string(one.id));
      decoded_.push_back(std::move(one));
      changed_.NotifyAll();
    };
    to.on_speculated = [this, name](const Speculated& one) {
      const MutexLock lock(mutex_);
      speculated_.push_back(name + ":" + std::to_string(one.id) + (one.result ? "" : " dropped"));
      changed_.NotifyAll();
    };
    return to;
  }
  std::vector<Decoded> Await(std::size_t count) {
    const MutexLock lock(mutex_);
    changed_.WaitFor(mutex_, seconds(60),
                     [&]() REQUIRES(mutex_) { return decoded_.size() >= count; });
    EXPECT_EQ(decoded_.size(), count);
    return decoded_;
  }
  std::vector<std::string> AwaitSpeculated(std::size_t count) {
    const MutexLock lock(mutex_);
    changed_.WaitFor(mutex_, seconds(60),
                     [&]() REQUIRES(mutex_) { return speculated_.size() >= count; });
    return speculated_;
  }
  std::vector<std::string> order() {
    const MutexLock lock(mutex_);
    return order_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<Decoded> decoded_ GUARDED_BY(mutex_);
  std::vector<std::string> order_ GUARDED_BY(mutex_), speculated_ GUARDED_BY(mutex_);
};

Utterance Say(std::uint64_t id, std::size_t samples = 16000, Ticket adopt = 0) {
  Utterance utterance{.id = id,
                      .options = {},
                      .audio = audio::FiniteAudio(std::vector<float>(samples, 0.1F)),
                      .adopt = adopt};
  utterance.options.language = "en";
  return utterance;
}

std::unique_ptr<Scheduler> Make(std::vector<Tier> tiers, std::size_t most_waiting = 256) {
  auto made = Scheduler::Make({.tiers = std::move(tiers), .most_waiting = most_waiting}, {},
                              std::make_unique<Still>());
  EXPECT_TRUE(made) << made.error().what;
  return made ? std::move(*made) : nullptr;
}

TEST(Scheduler, DecodesInARealProcess) {
  Out out;
  const auto scheduler = Make({Scripted("slow=5")});
  const auto client = scheduler->Connect(Urgency::kDictation, out.events());
  client->SetWanted(true);
  for (std::uint64_t id = 1; id <= 5; ++id) ASSERT_TRUE(client->Submit(Say(id, 1600 * id)));
  const auto decoded = out.Await(5);
  for (std::uint64_t id = 1; id <= 5; ++id) {
    ASSERT_TRUE(decoded[id - 1].result) << decoded[id - 1].result.error().what;
    EXPECT_EQ(decoded[id - 1].id, id);
    EXPECT_EQ(decoded[id - 1].result->transcript.segments.at(0).text,
              fmt::format("{} samples in en", 1600 * id));
  }
  EXPECT_GE(scheduler->status().counts.decoded, 4);  // as of the tick before the last
}

TEST(Scheduler, AWorkerThatAbortsIsFollowedByTheNextTier) {
  Out out;
  const auto scheduler = Make({Scripted("abort"), Scripted("exit=3"), Scripted("slow=1")});
  const auto client = scheduler->Connect(Urgency::kDictation, out.events());
  ASSERT_TRUE(client->Submit(Say(1)));
  const Decoded decoded = out.Await(1).at(0);
  ASSERT_TRUE(decoded.result) << decoded.result.error().what;
  EXPECT_EQ(decoded.failures, 2);
  EXPECT_THAT(decoded.tier, HasSubstr("slow=1"));
}

TEST(Scheduler, AModelThatCannotBeLoadedIsAnErrorInWords) {
  Out out;
  const auto scheduler = Make({Scripted("fail-load")});
  const auto client = scheduler->Connect(Urgency::kDictation, out.events());
  ASSERT_TRUE(client->Submit(Say(1)));
  const Decoded decoded = out.Await(1).at(0);
  ASSERT_FALSE(decoded.result);
  EXPECT_THAT(decoded.result.error().what, HasSubstr("not a model"));
}

TEST(Scheduler, SpeculationIsAdopted) {
  Out out;
  const auto scheduler = Make({Scripted("slow=30")});
  const auto client = scheduler->Connect(Urgency::kDictation, out.events());
  client->SetWanted(true);
  ASSERT_TRUE(client->Submit(Say(1)));
  out.Await(1);
  const Ticket ticket = client->Speculate(Say(2, 8000), true);
  ASSERT_NE(ticket, 0u);
  ASSERT_THAT(out.AwaitSpeculated(1), ElementsAre(":2"));
  ASSERT_TRUE(client->Submit(Say(2, 8800, ticket)));
  const Decoded decoded = out.Await(2).at(1);
  EXPECT_TRUE(decoded.adopted);
  EXPECT_EQ(decoded.result->transcript.segments.at(0).text, "8000 samples in en");
}

TEST(Scheduler, ASuspicionOfTheEndIsWorthMoreThanAPartial) {
  Out out;
  // Nothing is loaded, so nothing is run: each is answered all the same.
  const auto scheduler = Make({Scripted("slow=5")});
  const auto first = scheduler->Connect(Urgency::kStream, out.events("first")),
             second = scheduler->Connect(Urgency::kStream, out.events("second")),
             dictation = scheduler->Connect(Urgency::kDictation, out.events("dictation"));
  EXPECT_NE(first->Speculate(Say(1), false), 0u);
  EXPECT_EQ(second->Speculate(Say(2), false), 0u);
  EXPECT_NE(second->Speculate(Say(2), true), 0u);
  EXPECT_EQ(first->Speculate(Say(3), true), 0u);
  first->CancelSpeculation();  // of another client
  EXPECT_NE(dictation->Speculate(Say(4), false), 0u);
  ASSERT_TRUE(dictation->Submit(Say(5)));
  EXPECT_EQ(dictation->Speculate(Say(6), true), 0u) << "an utterance waits";
  EXPECT_THAT(out.AwaitSpeculated(3),
              UnorderedElementsAre("first:1 dropped", "second:2 dropped", "dictation:4 dropped"));
  out.Await(1);
}

TEST(Scheduler, EndingItAnswersWhatWaitsAndEndsAHangingWorker) {
  Out out;
  const auto scheduler = Make({Scripted("hang")});
  const auto client = scheduler->Connect(Urgency::kDictation, out.events());
  for (std::uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(client->Submit(Say(id)));
  EXPECT_EQ(scheduler->waiting(), 3u);
  EXPECT_EQ(scheduler->queue(), seconds(3));
  scheduler->Stop();
  const auto decoded = out.Await(3);
  EXPECT_EQ(decoded[0].result.error().code, Errc::kCancelled);
  EXPECT_EQ(decoded[2].id, 3u);
  EXPECT_EQ(client->Submit(Say(4)).error().code, Errc::kCancelled);
}

TEST(Scheduler, AClientThatGoesIsForgottenAndTheOthersAreServed) {
  Out out;
  const auto scheduler = Make({Scripted("slow=1000")});
  auto gone = scheduler->Connect(Urgency::kDictation, out.events("gone"));
  const auto other = scheduler->Connect(Urgency::kFile, out.events("other"));
  ASSERT_TRUE(gone->Submit(Say(1, 320'000)));
  ASSERT_TRUE(other->Submit(Say(7)));
  EXPECT_EQ(scheduler->waiting(), 2u);
  gone.reset();
  EXPECT_EQ(scheduler->waiting(), 1u);
  EXPECT_EQ(scheduler->queue(), seconds(1));
  out.Await(1);
  EXPECT_THAT(out.order(), ElementsAre("other:7"));
}

TEST(Scheduler, CancelledBeforeItBeganItIsAnsweredSo) {
  Out out;
  const auto scheduler = Make({Scripted("slow=5")});
  const auto client = scheduler->Connect(Urgency::kFile, out.events());
  ASSERT_TRUE(scheduler->Suspend());
  ASSERT_TRUE(client->Submit(Say(1)));
  ASSERT_TRUE(client->Submit(Say(2)));
  client->Cancel(1);
  client->Cancel(5);
  EXPECT_EQ(out.Await(1)[0].result.error().code, Errc::kCancelled);
  scheduler->Resume();
  EXPECT_TRUE(out.Await(2)[1].result);
  EXPECT_THAT(out.order(), ElementsAre(":1", ":2"));
}

TEST(Scheduler, OnlySoManyWait) {
  const auto scheduler = Make({Scripted("slow=1000")}, 2);
  const auto client = scheduler->Connect(Urgency::kFile, {});
  EXPECT_TRUE(client->Submit(Say(1)));
  EXPECT_TRUE(client->Submit(Say(2)));
  EXPECT_EQ(client->Submit(Say(3)).error().code, Errc::kBusy);
  EXPECT_EQ(scheduler->status().counts.refused, 1);
}

TEST(Scheduler, SuspendReturnsWhenTheWorkersAreGone) {
  const auto scheduler = Make({Scripted("hang")});
  const auto client = scheduler->Connect(Urgency::kDictation, {});
  ASSERT_TRUE(client->Submit(Say(1)));
  EXPECT_TRUE(scheduler->Suspend(seconds(30)));
  EXPECT_TRUE(scheduler->Yield(true, seconds(30))) << "nothing is on a card";
}

TEST(Scheduler, RefusesNonsense) {
  EXPECT_EQ(Scheduler::Make({}, {}, std::make_unique<Still>()).error().code, Errc::kInvalid);
  const auto scheduler = Make({Scripted("slow=1")});
  const auto client = scheduler->Connect(Urgency::kDictation, {});
  EXPECT_EQ(client->Submit({}).error().code, Errc::kInvalid);
  EXPECT_EQ(client->Speculate({}, false), 0u);
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
