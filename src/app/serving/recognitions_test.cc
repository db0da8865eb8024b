#include "app/serving/recognitions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "app/testing/fake_scheduler.h"
#include "base/mutex.h"

namespace headroom::app {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

Fd Sealed(std::span<const float> samples) {
  auto sealed = MakeSealedMemory("test", std::as_bytes(samples));
  EXPECT_TRUE(sealed);
  return std::move(*sealed);
}

class RecognitionsTest : public testing::Test {
 protected:
  ~RecognitionsTest() override {
    recognitions_.reset();
    scheduler_.reset();
  }
  void Start(const std::string& script) {
    scheduler_ = FakeScheduler(script);
    recognitions_ = std::make_unique<Recognitions>(*scheduler_);
  }
  void Begin(net::RecognitionId id, Fd audio) {
    net::RecognizeRequest request;
    request.audio = std::move(audio);
    request.language = "en";
    recognitions_->Begin(id, std::move(request), net::Answer([this, id](Result<json> result) {
                           const MutexLock lock(mutex_);
                           EXPECT_FALSE(answers_.contains(id));
                           answers_.emplace(id, std::move(result));
                           came_.NotifyAll();
                         }));
  }
  Result<json> Wait(net::RecognitionId id) {
    const MutexLock lock(mutex_);
    if (!came_.WaitFor(mutex_, std::chrono::seconds(60),
                       [&]() REQUIRES(mutex_) { return answers_.contains(id); }))
      return Fail(Errc::kTimeout, "no answer came");
    return answers_.at(id);
  }

  std::unique_ptr<asr::Scheduler> scheduler_;
  std::unique_ptr<Recognitions> recognitions_;
  Mutex mutex_;
  CondVar came_;
  std::map<net::RecognitionId, Result<json>> answers_ GUARDED_BY(mutex_);
};

TEST_F(RecognitionsTest, SamplesBecomeAResultWithItsTier) {
  Start("slow=5");
  std::vector<float> samples(32'000, 0.1F);
  samples[7] = std::numeric_limits<float>::quiet_NaN();
  Begin(1, Sealed(samples));
  const auto answer = Wait(1);
  ASSERT_TRUE(answer) << answer.error().what;
  const auto result = asr::ParseRunResult((*answer)["result"]);
  ASSERT_TRUE(result) << result.error().what;
  ASSERT_EQ(result->transcript.segments.size(), 1U);
  EXPECT_THAT(result->transcript.segments[0].text, HasSubstr("32000 samples in en"));
  EXPECT_THAT((*answer)["tier"], HasSubstr("slow=5"));
  recognitions_->End(1);
}

TEST_F(RecognitionsTest, WhatIsNoAudioIsAnError) {
  Start("slow=5");
  Begin(1, Sealed({}));
  EXPECT_EQ(Wait(1).error().code, Errc::kInvalid);
  auto odd = MakeSealedMemory("test", std::as_bytes(std::span("abcde", 5)));
  Begin(2, std::move(*odd));
  EXPECT_EQ(Wait(2).error().code, Errc::kInvalid);
  Begin(3, Fd());
  EXPECT_FALSE(Wait(3));
  const std::vector<float> long_one(asr::kMaxRunSamples + 1);
  Begin(4, Sealed(long_one));
  EXPECT_EQ(Wait(4).error().code, Errc::kProtocol);
}

TEST_F(RecognitionsTest, TooManyAreRefusedAndTheRestGoOn) {
  Start("slow=100");
  const std::vector<float> samples(1600);
  for (net::RecognitionId id = 1; id <= Recognitions::kMost; ++id) Begin(id, Sealed(samples));
  Begin(100, Sealed(samples));
  EXPECT_EQ(Wait(100).error().code, Errc::kBusy);
  recognitions_->End(100);
  // A client that goes makes room, and is not answered.
  recognitions_->End(Recognitions::kMost);
  Begin(101, Sealed(samples));
  for (const net::RecognitionId id : {1, 2, 101}) EXPECT_TRUE(Wait(id)) << id;
  const MutexLock lock(mutex_);
  EXPECT_FALSE(answers_.contains(Recognitions::kMost) && answers_.at(Recognitions::kMost));
}

TEST_F(RecognitionsTest, AnEngineThatFailsIsTheAnswer) {
  Start("abort");
  const std::vector<float> samples(1600);
  Begin(1, Sealed(samples));
  EXPECT_FALSE(Wait(1));
}

}  // namespace
}  // namespace headroom::app
