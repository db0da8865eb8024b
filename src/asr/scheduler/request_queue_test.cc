#include "asr/scheduler/request_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"

namespace headroom::asr {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr ClientId kDictating = 1, kStreaming = 2, kReading = 3;

class RequestQueueTest : public testing::Test {
 protected:
  RequestQueueTest() {
    queue_.Connect(kDictating, Urgency::kDictation, {});
    queue_.Connect(kStreaming, Urgency::kStream, {});
    queue_.Connect(kReading, Urgency::kFile, {});
  }
  void Push(ClientId client, std::uint64_t id) {
    Utterance utterance;
    utterance.client = client;
    utterance.id = id;
    ASSERT_TRUE(queue_.Push(std::move(utterance), clock_.Now()));
  }
  static std::string NameOf(const Request& request) {
    return fmt::format("{}:{}", request.utterance.client, request.utterance.id);
  }
  /// Takes and answers what is due, one at a time.
  std::vector<std::string> ServeAll() {
    std::vector<std::string> order;
    while (Request* const next = queue_.Next(clock_.Now())) {
      order.push_back(NameOf(*next));
      queue_.Take(*next);
      next->answer = RunResult();
    }
    return order;
  }
  std::vector<std::string> Answers() {
    std::vector<std::string> order;
    while (const auto answered = queue_.PopAnswered()) order.push_back(NameOf(*answered));
    return order;
  }
  Request& Front(ClientId client, std::uint64_t id) { return *queue_.Find({client, id}); }

  FakeClock clock_;
  RequestQueue queue_{4};
};

TEST_F(RequestQueueTest, WhatIsDueFirstGoesFirst) {
  Push(kReading, 1);
  Push(kReading, 2);
  Push(kStreaming, 1);
  Push(kDictating, 1);
  EXPECT_EQ(queue_.size(), 4u);
  EXPECT_THAT(ServeAll(), ElementsAre("1:1", "2:1", "3:1", "3:2"));
  EXPECT_EQ(queue_.size(), 4u) << "until their answers have left";
  EXPECT_EQ(Answers().size(), 4u);
  EXPECT_FALSE(queue_.Busy(clock_.Now()));
}

TEST_F(RequestQueueTest, AFileIsNotStarvedByStreams) {
  Push(kReading, 1);
  clock_.Advance(Milliseconds(29'500));
  Push(kStreaming, 1);
  EXPECT_THAT(ServeAll(), ElementsAre("3:1", "2:1"));
}

TEST_F(RequestQueueTest, AmongEqualsTheClientThatWasServedLongestAgoIsNext) {
  for (const ClientId client : {7, 8}) queue_.Connect(client, Urgency::kStream, {});
  Push(7, 1);
  Push(7, 2);
  Push(8, 1);
  Push(8, 2);
  EXPECT_THAT(ServeAll(), ElementsAre("7:1", "8:1", "7:2", "8:2"));
}

TEST_F(RequestQueueTest, OnlySoManyWait) {
  for (std::uint64_t id = 1; id <= 4; ++id) Push(kReading, id);
  const auto refused = queue_.Push({.id = 5, .client = kDictating}, clock_.Now());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kBusy);
}

TEST_F(RequestQueueTest, AnswersLeaveInTheOrderOfSubmission) {
  Push(kStreaming, 1);
  Push(kStreaming, 2);
  Push(kReading, 1);
  Front(kStreaming, 2).answer = RunResult();
  Front(kReading, 1).answer = RunResult();
  EXPECT_THAT(Answers(), ElementsAre("3:1")) << "of each client";
  EXPECT_EQ(queue_.Find({kStreaming, 2}), nullptr) << "it has its answer";
  Front(kStreaming, 1).answer = RunResult();
  EXPECT_THAT(Answers(), ElementsAre("2:1", "2:2"));
}

TEST_F(RequestQueueTest, AClientThatIsGoneCostsTheOthersNothing) {
  Push(kStreaming, 1);
  Push(kStreaming, 2);
  Push(kReading, 7);
  EXPECT_EQ(queue_.Disconnect(kStreaming), 2u);
  EXPECT_EQ(queue_.size(), 1u);
  EXPECT_THAT(ServeAll(), ElementsAre("3:7"));
  EXPECT_EQ(queue_.Disconnect(99), 0u);
}

TEST_F(RequestQueueTest, AnotherTryIsLaterAndHoldsBackNone) {
  queue_.Connect(5, Urgency::kDictation, {.tries = 3, .after = seconds(15)});
  Push(5, 1);
  Push(5, 2);
  Request& first = Front(5, 1);
  queue_.Take(first);
  first.failed_tiers = 7;
  EXPECT_TRUE(queue_.Retry(first, clock_.Now()));
  EXPECT_EQ(first.failed_tiers, 0u);
  EXPECT_EQ(queue_.Delayed(clock_.Now()), 1u);
  EXPECT_EQ(queue_.NextTry(clock_.Now()), clock_.Now() + seconds(15));
  EXPECT_THAT(ServeAll(), ElementsAre("5:2"));
  EXPECT_THAT(Answers(), ElementsAre("5:2"));
  EXPECT_FALSE(queue_.Busy(clock_.Now()));

  clock_.Advance(seconds(15));
  EXPECT_TRUE(queue_.Busy(clock_.Now()));
  EXPECT_EQ(queue_.Next(clock_.Now()), &first);
  EXPECT_TRUE(queue_.Retry(first, clock_.Now()));
  EXPECT_EQ(queue_.NextTry(clock_.Now()), clock_.Now() + seconds(30)) << "which doubles";
  clock_.Advance(seconds(30));
  EXPECT_FALSE(queue_.Retry(first, clock_.Now())) << "it has had its tries";
  EXPECT_THAT(Answers(), IsEmpty());
}

TEST_F(RequestQueueTest, APersonIsMissedSoonest) {
  EXPECT_EQ(DeadlineOffset(Urgency::kDictation), Milliseconds(0));
  EXPECT_LT(DeadlineOffset(Urgency::kStream), DeadlineOffset(Urgency::kFile));
}

}  // namespace
}  // namespace headroom::asr
