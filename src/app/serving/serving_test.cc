// What is admitted and what is refused.
#include "app/serving/serving.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <future>

#include "app/testing/fake_scheduler.h"
#include "speech/testing/fake_vad.h"

namespace headroom::app {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ServingTest : public testing::Test {
 protected:
  ServingTest() {
    std::string name = (fs::path(testing::TempDir()) / "serving-XXXXXX").native();
    folder_ = ::mkdtemp(name.data());
    status_.sample.ram_available = GiB(4);
    status_.tier_title = "whisper-base Q8_0 on cpu";
    status_.tiers.emplace_back().model = "whisper-base";
    status_.tier = 0;
    ServingParts parts;
    parts.scheduler = [this] { return status_; };
    parts.dictation = [] { return PipelineStatus(); };
    parts.inspect = [](const std::string& what) {
      return what == "plan" ? std::optional<std::string>("{}") : std::nullopt;
    };
    parts.clock = &clock_;
    parts.models = {{"whisper-base", {"de", "en"}, false}, {"whisper-tiny.en", {"en"}, false}};
    auto made = Serving::Make(
        std::move(parts), {.folder = folder_}, *scheduler_,
        []() -> Result<std::unique_ptr<speech::SpeechProbability>> {
          return std::make_unique<speech::FakeVad>();
        },
        [](const Event&) {});
    EXPECT_TRUE(made) << made.error().what;
    serving_ = std::move(*made);
  }
  ~ServingTest() override {
    serving_.reset();
    scheduler_.reset();
    fs::remove_all(folder_);
  }

  Result<net::JobEvents::Outcome> Transcribe(const net::SpeechRequest& request) {
    std::promise<Result<net::JobEvents::Outcome>> promise;
    auto future = promise.get_future();
    auto recording = headroom::Open(folder_, O_TMPFILE | O_RDWR);
    EXPECT_TRUE(recording);
    const auto job = serving_->Transcribe(
        std::move(*recording), request,
        {.on_segment = {},
         .on_end = [&](Result<net::JobEvents::Outcome> outcome) { promise.set_value(outcome); }});
    if (!job) return Fail(job.error());
    if (future.wait_for(std::chrono::seconds(30)) != std::future_status::ready)
      return Fail(Errc::kTimeout, "no end");
    return future.get();
  }

  FakeClock clock_;
  fs::path folder_;
  asr::SchedulerStatus status_;
  std::unique_ptr<asr::Scheduler> scheduler_ = FakeScheduler("slow=5");
  std::unique_ptr<Serving> serving_;
};

TEST_F(ServingTest, IsReadyAndSaysWhatItHas) {
  const net::ServiceState state = serving_->State();
  EXPECT_TRUE(state.ready) << state.reason;
  EXPECT_EQ(state.zone, "safe");
  ASSERT_EQ(state.models.size(), 2U);
  EXPECT_TRUE(state.models[0].loaded);
  EXPECT_FALSE(state.models[1].loaded);
  status_.tiers[0].model = "whisper-base copy";
  status_.tier_title = "whisper-base copy Q8_0 on cpu";
  EXPECT_FALSE(serving_->State().models[0].loaded) << "another model whose name begins like it";
  status_.tier = std::nullopt;
  EXPECT_FALSE(serving_->State().models[0].loaded);
  EXPECT_EQ(serving_->Inspect("plan"), "{}");
  EXPECT_EQ(serving_->Inspect("secrets"), std::nullopt);
}

TEST_F(ServingTest, WhileMemoryIsShortNewWorkIsRefusedWithTheReason) {
  const auto refused = [&](const char* why) {
    const auto stream = serving_->OpenStream({}, [](const net::StreamEvent&) {});
    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error().code, Errc::kBusy);
    EXPECT_THAT(stream.error().what, HasSubstr(why));
    const auto job = Transcribe({});
    ASSERT_FALSE(job);
    EXPECT_EQ(job.error().code, Errc::kBusy);
    const net::ServiceState state = serving_->State();
    EXPECT_FALSE(state.ready);
    EXPECT_THAT(state.reason, HasSubstr(why));
    EXPECT_GT(state.retry_after, Milliseconds(0));
  };
  const asr::SchedulerStatus well = status_;
  status_.zones[1] = memory::Zone::kCritical;
  status_.reason = "RAM 6100 MB";
  refused("RAM 6100 MB");
  EXPECT_EQ(serving_->State().zone, "critical");
  status_ = well;
  status_.paused = true;
  refused("memory is short");
  status_ = well;
  status_.sample.ram_available = MiB(100);
  refused("100.0 MiB of memory are left");
  status_ = well;
  serving_->SetDraining(true);
  refused("drained");
  serving_->SetDraining(false);
  EXPECT_TRUE(serving_->State().ready);
}

TEST_F(ServingTest, WhatWasJustBegunCountsBeforeItsMemoryIsSeen) {
  serving_->Expire();
  status_.sample.ram_available = MiB(256 + 20);
  std::vector<std::unique_ptr<net::SpeechStream>> streams;
  const auto open = [&] {
    auto stream = serving_->OpenStream({}, [](const net::StreamEvent&) {});
    if (stream) streams.push_back(std::move(*stream));
    return stream.has_value();
  };
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(open()) << i;
  EXPECT_FALSE(open());
  // They are in the numbers now, and there is as much as before.
  for (int second = 0; second < 12; ++second) {
    clock_.Advance(Milliseconds(1'000));
    serving_->Expire();
  }
  EXPECT_TRUE(open());
  // Who has gone leaves room at once.
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(open()) << i;
  EXPECT_FALSE(open());
  streams.clear();
  EXPECT_TRUE(open());
}

TEST_F(ServingTest, DangerOnTheGpuOnlyMovesTheWork) {
  status_.zones[0] = memory::Zone::kDanger;
  EXPECT_TRUE(serving_->State().ready);
}

TEST_F(ServingTest, AModelThatIsNotHereIsNamed) {
  net::SpeechRequest request;
  request.model = "whisper-huge";
  const auto job = Transcribe(request);
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().code, Errc::kNotFound);
  EXPECT_THAT(job.error().what, HasSubstr("whisper-base, whisper-tiny.en"));
  net::StreamOptions options;
  options.request.model = "whisper-huge";
  const auto stream = serving_->OpenStream(options, [](const net::StreamEvent&) {});
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, Errc::kNotFound);
}

TEST_F(ServingTest, CountsStreamsAndOutcomes) {
  {
    net::StreamOptions options;
    options.request.model = "whisper-1";
    const auto stream = serving_->OpenStream(options, [](const net::StreamEvent&) {});
    ASSERT_TRUE(stream) << stream.error().what;
    EXPECT_EQ(serving_->State().streams, 1U);
  }
  EXPECT_EQ(serving_->State().streams, 0U);
  const auto empty = Transcribe({});  // 0 bytes
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code, Errc::kCorrupt);
  serving_->Count(net::TextDelivered{.text = "hello", .latency = Milliseconds(400)});
  serving_->Count(net::TextDelivered{.latency = Milliseconds(400), .hallucination = true});
  const std::string text = serving_->Metrics();
  for (const char* line :
       {"headroom_utterances_total{source=\"file\",outcome=\"failed\"} 1\n",
        "headroom_errors_total{class=\"corrupt\"} 1\n",
        "headroom_utterances_total{source=\"dictation\",outcome=\"text\"} 1\n",
        "headroom_utterances_total{source=\"dictation\",outcome=\"phantom\"} 1\n",
        "headroom_latency_seconds_bucket{source=\"dictation\",le=\"0.5\"} 2\n"})
    EXPECT_THAT(text, HasSubstr(line));
}

}  // namespace
}  // namespace headroom::app
