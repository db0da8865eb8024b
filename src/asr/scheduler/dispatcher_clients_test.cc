// Several clients of one dispatcher, in virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asr/scheduler/dispatcher.h"
#include "asr/testing/fake_world.h"

namespace headroom::asr {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Clients : FakeWorld {
  explicit Clients(memory::Policy policy = memory::MakePolicy()) : FakeWorld(std::move(policy)) {
    Start();
  }
  void Load() {
    dispatcher->SetWanted(true);
    dispatcher->Tick();
    Pass(seconds(10));
  }
  ClientId Connect(Urgency urgency, RetryPolicy retry = {}) {
    dispatcher->Connect(++last, urgency, retry);
    return last;
  }
  Result<> Say(ClientId client, std::uint64_t id, const std::string& prompt = "",
               Milliseconds length = Milliseconds(4000)) {
    Utterance utterance{.id = id, .client = client, .audio = Sound(length)};
    utterance.options.prompt = prompt;
    sounds.push_back(utterance.audio);
    return dispatcher->Submit(std::move(utterance));
  }
  /// "client:id", and the code of an error.
  std::vector<std::string> Order() const {
    std::vector<std::string> order;
    for (const Decoded& one : decoded)
      order.push_back(
          fmt::format("{}:{}{}", one.client, one.id,
                      one.result ? "" : " " + std::string(Name(one.result.error().code))));
    return order;
  }
  ClientId last = 0;
  std::vector<audio::FiniteAudio> sounds;
};

TEST(DispatcherClients, WhatIsDueFirstIsDecodedFirstAlsoWhenItCameWhileTheModelWasLoaded) {
  Clients world;
  const ClientId file = world.Connect(Urgency::kFile), stream = world.Connect(Urgency::kStream),
                 dictation = world.Connect(Urgency::kDictation);
  for (const std::uint64_t id : {1, 2}) ASSERT_TRUE(world.Say(file, id));
  world.dispatcher->Tick();  // loading begins
  ASSERT_TRUE(world.Say(stream, 1));
  ASSERT_TRUE(world.Say(dictation, 1));
  world.Pass(seconds(10));
  EXPECT_THAT(world.Order(), ElementsAre("3:1", "2:1", "1:1", "1:2"));
}

TEST(DispatcherClients, AFileIsOvertakenBetweenTwoRunsOnly) {
  Clients world;
  world.Load();
  const ClientId file = world.Connect(Urgency::kFile),
                 dictation = world.Connect(Urgency::kDictation);
  for (const std::uint64_t id : {1, 2}) ASSERT_TRUE(world.Say(file, id));
  world.dispatcher->Tick();  // runs
  ASSERT_TRUE(world.Say(dictation, 1));
  world.Pass(seconds(10));
  EXPECT_THAT(world.Order(), ElementsAre("1:1", "2:1", "1:2"));
  EXPECT_EQ(world.decoded[1].attempts, 1);
}

TEST(DispatcherClients, WhatIsDueNextAndAsksForTheSameGoesTogether) {
  Clients world(memory::MakeBatchPolicy());
  world.Load();
  for (int i = 0; i < 6; ++i) world.Connect(Urgency::kStream);
  for (ClientId client = 1; client <= 6; ++client)
    ASSERT_TRUE(world.Say(client, 1, client == 6 ? "something else" : ""));
  world.dispatcher->Tick();
  world.Pass(seconds(10));
  EXPECT_THAT(world.clips, ElementsAre(4, 1, 1)) << "the sixth wants something else";
  EXPECT_EQ(world.decoded.size(), 6u);
}

TEST(DispatcherClients, ALongUtteranceHoldsBackNoOtherClientOfItsBatch) {
  Clients world(memory::MakeBatchPolicy());
  world.Load();
  const ClientId one = world.Connect(Urgency::kStream), other = world.Connect(Urgency::kStream);
  ASSERT_TRUE(world.Say(one, 1, "", seconds(70)));
  ASSERT_TRUE(world.Say(other, 1));
  world.dispatcher->Tick();
  world.Pass(seconds(30));
  EXPECT_THAT(world.Order(), ElementsAre("2:1", "1:1"));
  EXPECT_EQ(world.clips.front(), 2u);
}

TEST(DispatcherClients, OneOfThoseThatGoTogetherMayLeave) {
  Clients world(memory::MakeBatchPolicy());
  world.Load();
  for (int i = 0; i < 3; ++i) world.Connect(Urgency::kStream);
  for (ClientId client = 1; client <= 3; ++client) ASSERT_TRUE(world.Say(client, 1));
  world.dispatcher->Tick();
  world.dispatcher->Disconnect(2);
  world.Pass(seconds(5));
  EXPECT_THAT(world.Order(), ElementsAre("1:1", "3:1"));
  EXPECT_THAT(world.clips, ElementsAre(3));
  EXPECT_EQ(world.dispatcher->status().counts.cancelled, 1);
}

TEST(DispatcherClients, AClientThatLeavesWhileItIsServedCutsItsRunShort) {
  Clients world;
  world.Load();
  const ClientId gone = world.Connect(Urgency::kDictation), other = world.Connect(Urgency::kFile);
  ASSERT_TRUE(world.Say(gone, 1, "", seconds(20)));
  ASSERT_TRUE(world.Say(other, 2));
  world.dispatcher->Tick();
  world.Pass(Milliseconds(100));
  world.dispatcher->Disconnect(gone);
  world.Pass(Milliseconds(500));
  EXPECT_THAT(world.Order(), ElementsAre("2:2"));
}

TEST(DispatcherClients, OnlyOnesOwnSpeculationIsCancelled) {
  Clients world;
  world.Load();
  const ClientId mine = world.Connect(Urgency::kDictation), other = world.Connect(Urgency::kStream);
  world.dispatcher->Speculate(5, {.id = 1, .client = mine, .audio = FakeWorld::Sound(seconds(4))});
  world.dispatcher->CancelSpeculation(other);
  world.dispatcher->Tick();
  world.Pass(seconds(1));
  world.dispatcher->CancelSpeculation(other);
  ASSERT_TRUE(world.dispatcher->Submit(
      {.id = 1, .client = mine, .audio = FakeWorld::Sound(seconds(5)), .adopt = 5}));
  world.dispatcher->Tick();
  ASSERT_EQ(world.decoded.size(), 1u);
  EXPECT_TRUE(world.decoded[0].adopted);
}

TEST(DispatcherClients, AnAdoptedTextDoesNotWaitForAnotherClientsRun) {
  Clients world;
  world.Load();
  const ClientId dictation = world.Connect(Urgency::kDictation),
                 file = world.Connect(Urgency::kFile);
  world.dispatcher->Speculate(
      5, {.id = 1, .client = dictation, .audio = FakeWorld::Sound(seconds(4))});
  world.dispatcher->Tick();
  world.Pass(seconds(1));
  ASSERT_TRUE(world.Say(file, 1, "", seconds(25)));
  world.dispatcher->Tick();
  ASSERT_TRUE(world.dispatcher->Submit(
      {.id = 1, .client = dictation, .audio = FakeWorld::Sound(seconds(5)), .adopt = 5}));
  world.dispatcher->Tick();
  EXPECT_THAT(world.Order(), ElementsAre("1:1"));
}

TEST(DispatcherClients, WhatEveryTierHasFailedIsTriedAgainLater) {
  Clients world;
  world.Load();
  const ClientId client = world.Connect(Urgency::kDictation, {.tries = 2, .after = seconds(15)});
  world.faults = {Fault::kCrash, Fault::kSticky};
  world.broken = {"cpu"};
  ASSERT_TRUE(world.Say(client, 1));
  world.dispatcher->Tick();
  while (world.retried.empty() && world.decoded.empty()) world.Pass(Milliseconds(100));
  ASSERT_EQ(world.retried.size(), 1u);
  EXPECT_EQ(world.retried[0].id, 1u);
  EXPECT_EQ(world.retried[0].after, seconds(15));
  EXPECT_THAT(world.retried[0].error.what, HasSubstr("not a model"));
  world.broken.clear();
  world.Pass(minutes(5));
  ASSERT_THAT(world.Order(), ElementsAre("1:1"));
  EXPECT_EQ(world.decoded[0].failures, 3);
}

TEST(DispatcherClients, AfterItsTriesItIsAnErrorAndOthersWereServedMeanwhile) {
  Clients world;
  world.settings.give_up = seconds(30);
  world.Start();
  world.Load();
  const ClientId client = world.Connect(Urgency::kStream, {.tries = 2, .after = minutes(30)}),
                 other = world.Connect(Urgency::kStream);
  ASSERT_TRUE(world.Say(client, 1));
  world.deadly = {FakeWorld::KeyOf(world.sounds.back())};
  world.broken = {"cpu"};
  world.dispatcher->Tick();
  world.Pass(minutes(10));
  ASSERT_EQ(world.retried.size(), 1u);
  EXPECT_THAT(world.decoded, IsEmpty());
  world.broken.clear();
  ASSERT_TRUE(world.Say(other, 1));
  world.dispatcher->Tick();
  world.Pass(minutes(5));
  EXPECT_THAT(world.Order(), ElementsAre("2:1"));
  world.broken = {"cpu"};
  world.Pass(minutes(60));
  EXPECT_THAT(world.Order(), ElementsAre("2:1", "1:1 worker_lost"));
}

TEST(DispatcherClients, WhatNoTierCanDoIsNotTriedAgain) {
  Clients world;
  world.Load();
  const ClientId client = world.Connect(Urgency::kDictation, {.tries = 3, .after = seconds(15)});
  Utterance utterance{.id = 1, .client = client, .audio = FakeWorld::Sound(seconds(4))};
  utterance.options.language = "fr";
  ASSERT_TRUE(world.dispatcher->Submit(std::move(utterance)));
  world.dispatcher->Tick();
  EXPECT_THAT(world.Order(), ElementsAre("1:1 unsupported"));
  EXPECT_THAT(world.retried, IsEmpty());
}

TEST(DispatcherClients, AFileThatWaitedLongIsGivenItsTimeForAnotherTier) {
  Clients world;
  world.settings.tiers[2].traits.languages = {"en", "de"};
  world.Start();
  world.Load();
  const ClientId file = world.Connect(Urgency::kFile), stream = world.Connect(Urgency::kStream);
  Utterance german{.id = 1, .client = file, .audio = FakeWorld::Sound(seconds(4))};
  german.options.language = "de";
  world.rate = 30;  // the stream's run takes two minutes and more
  ASSERT_TRUE(world.Say(stream, 1, "", seconds(5)));
  world.dispatcher->Tick();
  ASSERT_TRUE(world.dispatcher->Submit(std::move(german)));
  world.Pass(minutes(3));
  world.rate = 0.1;
  world.Pass(minutes(5));
  EXPECT_THAT(world.Order(), ElementsAre("2:1", "1:1"));
}

}  // namespace
}  // namespace headroom::asr
