#include "app/daemon/status_view.h"

#include <gmock/gmock.h>

namespace headroom::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class StatusViewTest : public testing::Test {
 protected:
  StatusViewTest() { scheduler_.tier_title = "whisper-base Q8_0 on cpu"; }

  FakeClock clock_;
  asr::SchedulerStatus scheduler_;
  PipelineStatus pipeline_;
  DictationState state_ = DictationState::kIdle;
  audio::SourceReport source_;
  StatusView view_{{.scheduler = [this] { return scheduler_; },
                    .pipeline = [this] { return pipeline_; },
                    .state = [this] { return state_; },
                    .source = [this] { return source_; },
                    .served = [] { return std::pair(true, 3); },
                    .undelivered = [] { return 2; },
                    .yields = [] { return 1; }},
                   clock_};
};

TEST_F(StatusViewTest, ShowsWhatTheSourcesSay) {
  clock_.Advance(Milliseconds(1'500));
  view_.SetSpeech(ListenMode::kPushToTalk, "de");
  const net::Status status = view_.Now();
  EXPECT_EQ(status.uptime, Milliseconds(1'500));
  EXPECT_EQ(status.mode, "push_to_talk");
  EXPECT_EQ(status.language, "de");
  EXPECT_EQ(status.tier, scheduler_.tier_title);
  EXPECT_TRUE(status.draining);
  EXPECT_EQ(status.clients, 3);
  EXPECT_EQ(status.undelivered, 2);
  EXPECT_EQ(status.yields, 1);
}

TEST_F(StatusViewTest, ThePhaseIsTheStateUntilTheLastTextIsThere) {
  EXPECT_EQ(view_.Now().phase, net::Phase::kIdle);
  pipeline_.waiting = 1;
  EXPECT_EQ(view_.Now().phase, net::Phase::kDecoding);
  state_ = DictationState::kSpeaking;
  EXPECT_EQ(view_.Now().phase, net::Phase::kSpeaking);
}

TEST_F(StatusViewTest, WhatIsNotMeasuredIsAbsent) {
  const net::Status none = view_.Now();
  EXPECT_EQ(none.memory.ram, std::nullopt);
  EXPECT_EQ(none.memory.vram_used, std::nullopt);
  EXPECT_EQ(none.latency, std::nullopt);
  pipeline_.spooled = false;
  EXPECT_EQ(view_.Now().spool_free, std::nullopt)
      << "without a spool nothing fits and nothing is full";
  pipeline_.spooled = true;
  pipeline_.room = Milliseconds(5'000);
  EXPECT_EQ(view_.Now().spool_free, Milliseconds(5'000));
}

TEST_F(StatusViewTest, PartialTextEndsWithItsUtterance) {
  view_.On(net::PartialText{1, "it ", "is"});
  EXPECT_EQ(view_.Now().partial, "it is");
  view_.On(net::TextDelivered{.utterance = 1, .text = "it is"});
  EXPECT_EQ(view_.Now().partial, "");
}

TEST_F(StatusViewTest, AWarningReplacesTheOneOfItsTopic) {
  view_.SetWarning("server", "no HTTP");
  view_.On(net::SourceChanged{"lost", "USB", "unplugged", 0});
  view_.On(net::Warning{{Errc::kIo, "the disk"}});
  EXPECT_THAT(view_.Now().troubles, ElementsAre("no HTTP", "unplugged", "the disk"));
  view_.On(net::SourceChanged{"running", "USB", "", 0});
  view_.SetWarning("server", "");
  view_.On(net::Warning{{Errc::kIo, "another disk"}});
  EXPECT_THAT(view_.Now().troubles, ElementsAre("another disk"));
}

TEST_F(StatusViewTest, OnlyWhatAPersonSeesIsAChange) {
  EXPECT_TRUE(view_.Changed());
  EXPECT_FALSE(view_.Changed());
  clock_.Advance(Milliseconds(1'000));
  scheduler_.sample.ram = MiB(100);
  pipeline_.room = Milliseconds(7);
  EXPECT_FALSE(view_.Changed());
  scheduler_.zones[1] = memory::Zone::kDanger;
  const auto changed = view_.Changed();
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->memory.zone, "danger");
}

}  // namespace
}  // namespace headroom::app
