// The pipeline between a real spool, a real scheduler with workers of the scripted engine, and a
// delivery sink that remembers.
#include "app/dictation/utterance_pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "app/testing/fake_scheduler.h"
#include "base/mutex.h"
#include "base/testing/eventually.h"
#include "net/control/event_json.h"

namespace headroom::app {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class FakeDeliverySink : public DeliverySink {
 public:
  std::string Compose(const FinalText& final_text) override { return final_text.text; }
  Result<> Deliver(const FinalText& final_text, const std::string& composed) override {
    const MutexLock lock(mutex);
    delivered.push_back(final_text);
    if (fails) return Fail(Errc::kIo, "the window has gone");
    texts.push_back(composed);
    return {};
  }
  bool Remember(const FinalText&, const std::string&, const Result<>&,
                std::optional<Milliseconds>) override {
    return remembers_it;
  }

  Mutex mutex;
  std::vector<FinalText> delivered;
  std::vector<std::string> texts;
  bool fails = false, remembers_it = true;
};

/// One run of the service on a folder that outlives it.
struct RunOfService {
  RunOfService(const fs::path& folder, const std::string& script, FakeDeliverySink& delivery_sink,
               int most_tries = 1, std::size_t most_waiting = 256) {
    auto spool = speech::Spool::Open(folder / "spool", {.size = MiB(4)});
    EXPECT_TRUE(spool.has_value()) << spool.error().what;
    speech::RecognitionOptions request;
    request.language = "en";
    pipeline = std::make_unique<UtterancePipeline>(
        PipelineOptions{.request = request,
                        .session = 1,
                        .retry = {.tries = most_tries, .after = Milliseconds(20)}},
        std::move(*spool), delivery_sink, [this](const Event& event) {
          const MutexLock lock(mutex);
          events.push_back(event);
        });
    scheduler = FakeScheduler(script, 1, most_waiting);
    pipeline->Start(*scheduler, asr::Urgency::kDictation);
  }
  ~RunOfService() {
    pipeline->Stop();
    scheduler.reset();
  }

  static std::vector<float> Sound(Milliseconds length) {
    return std::vector<float>(static_cast<std::size_t>(length.count()) * 16, 0.1F);
  }
  /// As the dictation does it; the fake engine's text is the number of samples.
  void Say(Milliseconds length) {
    const audio::FiniteAudio sound(Sound(length));
    ASSERT_TRUE(pipeline->Begin().has_value());
    ASSERT_TRUE(pipeline->Append(sound.samples()).has_value());
    pipeline->Pause(sound);
    ASSERT_TRUE(pipeline
                    ->End(sound, static_cast<std::int64_t>(sound.size()),
                          {.speech = length, .probability = 0.9F}, Milliseconds(800))
                    .has_value());
  }
  /// Words `from`, `from` + 1, … before `to`, each 100 ms; for the script "reads".
  static std::vector<float> Words(int from, int to) {
    std::vector<float> sound;
    for (int word = from; word < to; ++word)
      sound.insert(sound.end(), 1600, static_cast<float>(word) / 1000);
    return sound;
  }
  void Cut(const std::vector<float>& sound) {
    ASSERT_TRUE(pipeline->Begin().has_value());
    ASSERT_TRUE(pipeline->Append(sound).has_value());
    pipeline->Continues();
    ASSERT_TRUE(pipeline
                    ->End(audio::FiniteAudio(sound), static_cast<std::int64_t>(sound.size()),
                          {.probability = 0.9F}, Milliseconds(0))
                    .has_value());
  }
  int Count(const std::string& name) {
    const MutexLock lock(mutex);
    return static_cast<int>(std::ranges::count(events, name, &net::NameOf));
  }

  std::vector<net::TextDelivered> Texts() const REQUIRES(mutex) {
    std::vector<net::TextDelivered> texts;
    for (const Event& event : events) {
      if (const auto* text = std::get_if<net::TextDelivered>(&event)) texts.push_back(*text);
    }
    return texts;
  }

  Mutex mutex;
  std::vector<Event> events GUARDED_BY(mutex);
  std::unique_ptr<asr::Scheduler> scheduler;
  std::unique_ptr<UtterancePipeline> pipeline;
};

class UtterancePipelineTest : public testing::Test {
 protected:
  UtterancePipelineTest() {
    std::string name = (fs::path(testing::TempDir()) / "pipeline-XXXXXX").native();
    folder_ = ::mkdtemp(name.data());
  }
  ~UtterancePipelineTest() override { fs::remove_all(folder_); }

  fs::path folder_;
  FakeDeliverySink delivery_sink_;
};

TEST_F(UtterancePipelineTest, DeliversInTheOrderOfSpeech) {
  RunOfService run(folder_, "slow=5", delivery_sink_);
  for (const int ms : {1000, 2000, 500, 3000}) run.Say(Milliseconds(ms));
  ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  EXPECT_THAT(delivery_sink_.texts,
              ElementsAre(HasSubstr("16000 samples"), HasSubstr("32000 samples"),
                          HasSubstr("8000 samples"), HasSubstr("48000 samples")));
  const PipelineStatus status = run.pipeline->status();
  EXPECT_EQ(status.counts.delivered, 4);
  EXPECT_EQ(status.waiting, 0U);
  EXPECT_TRUE(status.last_latency.has_value());
  EXPECT_EQ(run.Count("text"), 4);
}

TEST_F(UtterancePipelineTest, WordsAtACutInsideSpeechAreThereOnce) {
  RunOfService run(folder_, "reads", delivery_sink_);
  run.Cut(RunOfService::Words(101, 120));
  run.Cut(RunOfService::Words(112, 140));
  ASSERT_TRUE(run.pipeline->Begin().has_value());
  const std::vector<float> last = RunOfService::Words(130, 150);
  ASSERT_TRUE(run.pipeline->Append(last).has_value());
  // Nothing of the second is delivered before the third has its text.
  ASSERT_TRUE(Eventually([&] { return run.pipeline->status().waiting == 1; }));
  EXPECT_EQ(delivery_sink_.texts.size(), 1U);
  ASSERT_TRUE(run.pipeline
                  ->End(audio::FiniteAudio(last), static_cast<std::int64_t>(last.size()),
                        {.probability = 0.9F}, Milliseconds(800))
                  .has_value());
  ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  std::string all, expected;
  for (const std::string& text : delivery_sink_.texts) all += (all.empty() ? "" : " ") + text;
  for (int word = 101; word < 150; ++word)
    expected += (expected.empty() ? "" : " ") + std::to_string(word);
  EXPECT_EQ(all, expected);
  EXPECT_EQ(delivery_sink_.texts.size(), 3U);
}

TEST_F(UtterancePipelineTest, ACutThatIsNotContinuedIsDelivered) {
  RunOfService run(folder_, "reads", delivery_sink_);
  run.Cut(RunOfService::Words(101, 105));
  ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  EXPECT_THAT(delivery_sink_.texts, ElementsAre("101 102 103 104"));
}

TEST_F(UtterancePipelineTest, WhatWasNotDecodedIsDecodedByTheNextRun) {
  {
    RunOfService run(folder_, "slow=60000", delivery_sink_);
    run.Say(Milliseconds(1000));
    run.Say(Milliseconds(2000));
    // One is open when the service ends: what is in the spool of it is an utterance.
    ASSERT_TRUE(run.pipeline->Begin().has_value());
    ASSERT_TRUE(run.pipeline->Append(RunOfService::Sound(Milliseconds(500))).has_value());
  }
  EXPECT_TRUE(delivery_sink_.texts.empty());
  RunOfService run(folder_, "slow=1", delivery_sink_);
  run.Say(Milliseconds(250));
  ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  EXPECT_THAT(delivery_sink_.texts,
              ElementsAre(HasSubstr("16000 samples"), HasSubstr("32000 samples"),
                          HasSubstr("8000 samples"), HasSubstr("4000 samples")));
  EXPECT_EQ(run.pipeline->status().counts.recovered, 3);
  const MutexLock lock(run.mutex);
  const auto texts = run.Texts();
  ASSERT_EQ(texts.size(), 4U);
  EXPECT_EQ(texts[0].latency, std::nullopt) << "its last word was spoken before this run";
  EXPECT_EQ(texts[0].decoded, std::nullopt);
  EXPECT_NE(texts[3].latency, std::nullopt);
}

TEST_F(UtterancePipelineTest, NothingIsDeliveredTwice) {
  {
    RunOfService run(folder_, "slow=1", delivery_sink_);
    run.Say(Milliseconds(1000));
    ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  }
  RunOfService run(folder_, "slow=1", delivery_sink_);
  ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  EXPECT_EQ(delivery_sink_.texts.size(), 1U);
  EXPECT_EQ(run.pipeline->status().counts.recovered, 0);
}

TEST_F(UtterancePipelineTest, ATextThatMayHaveArrivedIsRepeatedAsSuch) {
  delivery_sink_.fails = true;
  delivery_sink_.remembers_it = false;
  {
    RunOfService run(folder_, "slow=1", delivery_sink_);
    run.Say(Milliseconds(1000));
    ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  }
  delivery_sink_.fails = false;
  RunOfService run(folder_, "slow=1", delivery_sink_);
  ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  ASSERT_EQ(delivery_sink_.delivered.size(), 2U);
  EXPECT_FALSE(delivery_sink_.delivered[0].repeated);
  EXPECT_TRUE(delivery_sink_.delivered[1].repeated);
  EXPECT_EQ(delivery_sink_.delivered[0].id, delivery_sink_.delivered[1].id);
  EXPECT_EQ(delivery_sink_.delivered[0].text, delivery_sink_.delivered[1].text);
}

TEST_F(UtterancePipelineTest, AnUtteranceThatNothingCanDecodeIsKeptForTheNextRun) {
  {
    RunOfService run(folder_, "abort", delivery_sink_);
    run.Say(Milliseconds(1000));
    ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
    EXPECT_EQ(run.pipeline->status().counts.passed_over, 1);
    EXPECT_EQ(run.Count("passed_over"), 1);
    EXPECT_EQ(run.Count("trouble"), 1);
    const MutexLock lock(run.mutex);
    for (const Event& event : run.events) {
      if (const auto* failed = std::get_if<net::UtteranceFailed>(&event)) {
        EXPECT_EQ(failed->error.code, Errc::kWorkerLost);
      }
      if (const auto* warning = std::get_if<net::Warning>(&event)) {
        EXPECT_EQ(warning->error.code, Errc::kWorkerLost);
      }
    }
  }
  EXPECT_TRUE(delivery_sink_.texts.empty());
  RunOfService run(folder_, "slow=1", delivery_sink_);
  ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  EXPECT_THAT(delivery_sink_.texts, ElementsAre(HasSubstr("16000 samples")));
}

TEST_F(UtterancePipelineTest, EachFailedTryIsSaid) {
  RunOfService run(folder_, "abort", delivery_sink_, 3);
  run.Say(Milliseconds(1000));
  ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  EXPECT_EQ(run.pipeline->status().counts.passed_over, 1);
  const MutexLock lock(run.mutex);
  std::vector<bool> again;
  for (const Event& event : run.events) {
    if (const auto* warning = std::get_if<net::Warning>(&event))
      again.push_back(warning->again.value_or(false));
  }
  EXPECT_THAT(again, ElementsAre(true, true, false));
}

TEST_F(UtterancePipelineTest, WhatTheSchedulerHadNoRoomForIsSubmittedAgain) {
  RunOfService run(folder_, "slow=5", delivery_sink_, 1, 1);
  ASSERT_TRUE(run.scheduler->Suspend(seconds(30)));
  auto other = run.scheduler->Connect(asr::Urgency::kFile, {});
  asr::Utterance utterance;
  utterance.id = 1;
  utterance.audio = audio::FiniteAudio(RunOfService::Sound(Milliseconds(1000)));
  ASSERT_TRUE(other->Submit(std::move(utterance)));
  run.Say(Milliseconds(1000));
  EXPECT_EQ(run.scheduler->waiting(), 1U);
  other.reset();
  run.scheduler->Resume();
  ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  EXPECT_THAT(delivery_sink_.texts, ElementsAre(HasSubstr("16000 samples")));
}

TEST_F(UtterancePipelineTest, WhatIsDroppedOrCancelledIsForgotten) {
  {
    RunOfService run(folder_, "slow=60000", delivery_sink_);
    run.Say(Milliseconds(1000));
    run.Say(Milliseconds(2000));
    ASSERT_TRUE(run.pipeline->Begin().has_value());
    ASSERT_TRUE(run.pipeline->Append(RunOfService::Sound(Milliseconds(500))).has_value());
    run.pipeline->Drop();
    run.pipeline->CancelWaiting();
    ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  }
  RunOfService run(folder_, "slow=1", delivery_sink_);
  ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  EXPECT_TRUE(delivery_sink_.texts.empty());
}

TEST_F(UtterancePipelineTest, AnEarlyTextIsTakenWhenSpeechEndsThere) {
  RunOfService run(folder_, "slow=100", delivery_sink_);
  run.pipeline->SetListening(true);
  const audio::FiniteAudio sound(RunOfService::Sound(Milliseconds(1000)));
  ASSERT_TRUE(run.pipeline->Begin().has_value());
  ASSERT_TRUE(run.pipeline->Append(sound.samples()).has_value());
  run.pipeline->Pause(sound);
  ASSERT_TRUE(Eventually([&] { return run.Count("partial") > 0; }));
  ASSERT_EQ(run.Count("partial"), 1);
  ASSERT_TRUE(run.pipeline
                  ->End(sound, static_cast<std::int64_t>(sound.size()),
                        {.speech = Milliseconds(900), .probability = 0.9F}, Milliseconds(800))
                  .has_value());
  ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  const MutexLock lock(run.mutex);
  const auto texts = run.Texts();
  ASSERT_FALSE(texts.empty());
  EXPECT_TRUE(texts[0].adopted);
}

TEST_F(UtterancePipelineTest, AfterDeliveryNothingOfItIsInTheSpool) {
  {
    RunOfService run(folder_, "slow=1", delivery_sink_);
    run.Say(Milliseconds(1000));
    ASSERT_TRUE(run.pipeline->WaitUntilEmpty(seconds(60)));
  }
  auto spool = speech::Spool::Open(folder_ / "spool", {.size = MiB(4)});
  ASSERT_TRUE(spool.has_value());
  EXPECT_TRUE((*spool)->pending().empty());
}

}  // namespace
}  // namespace headroom::app
