// The supervisor against a real process: headroom-worker-fake, scripted through the model's path.
#include "asr/client/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

namespace headroom::asr {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr Milliseconds kLong{5000};

class WorkerTest : public testing::Test {
 protected:
  void Start(const std::string& script) {
    auto worker = Worker::Spawn({.program = "headroom-worker-fake", .start_within = kLong});
    ASSERT_TRUE(worker) << worker.error().what;
    worker_ = std::move(*worker);
    auto traits = worker_->Load({.path = script, .threads = 1}, kLong);
    ASSERT_TRUE(traits) << traits.error().what;
  }
  Result<RunResult> RunIt(Milliseconds within = kLong, CancelToken* cancel = nullptr) {
    return worker_->Run({.language = "en", .vocabulary = {}, .prompt = {}}, audio_, within, cancel);
  }
  // A program that speaks first words of its own instead of the protocol.
  static Result<std::unique_ptr<Worker>> SpawnScript(const std::string& body) {
    std::string name = "/tmp/headroom-script-XXXXXX";
    const Fd fd(::mkstemp(name.data()));
    (void)WriteAll(fd.get(), "#!/bin/bash\n" + body);
    ::fchmod(fd.get(), 0700);
    const_cast<Fd&>(fd).Reset();
    auto worker = Worker::Spawn({.program = name, .start_within = Milliseconds(300)});
    ::unlink(name.c_str());
    return worker;
  }

  std::unique_ptr<Worker> worker_;
  std::vector<float> audio_ = std::vector<float>(16000, 0.1f);
};

TEST_F(WorkerTest, ABatchHasOneResultForEachClip) {
  Start("plain");
  const std::span<const float> all(audio_);
  const std::vector<std::span<const float>> clips{all.first(300), all, all.first(7)};
  const auto results =
      worker_->RunBatch({.language = "en", .vocabulary = {}, .prompt = {}}, clips, kLong);
  ASSERT_TRUE(results) << results.error().what;
  ASSERT_EQ(results->size(), 3U);
  for (std::size_t i = 0; i < clips.size(); ++i)
    EXPECT_EQ((*results)[i]->transcript.segments[0].text,
              fmt::format("{} samples in en", clips[i].size()));
  EXPECT_EQ(worker_->RunBatch({}, {}, kLong).error().code, Errc::kInvalid);
  const std::vector<std::span<const float>> many(kMaxBatch + 1, all);
  EXPECT_EQ(worker_->RunBatch({}, many, kLong).error().code, Errc::kInvalid);
  EXPECT_TRUE(worker_->alive());
}

TEST_F(WorkerTest, LoadsRunsAndStops) {
  Start("plain");
  EXPECT_EQ(worker_->hello().backend, "fake");
  auto result = RunIt();
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->transcript.segments[0].text, "16000 samples in en");
  EXPECT_EQ(result->transcript.segments[0].end, Milliseconds(1000));
  EXPECT_EQ(worker_->Stats(kLong)->runs, 1);
  EXPECT_GT(worker_->Stats(kLong)->rss, MiB(1));
  EXPECT_TRUE(worker_->Stop(kLong)->ok());
  EXPECT_EQ(RunIt().error().code, Errc::kWorkerLost);
}

TEST_F(WorkerTest, ResultsLargerThanAMessageArriveWhole) {
  Start("long=500000");
  auto result = RunIt();
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->transcript.segments[0].text.size(), 500'000u);
}

TEST_F(WorkerTest, AFailedLoadLeavesAWorkerThatCanLoadAnother) {
  auto worker = Worker::Spawn({.program = "headroom-worker-fake", .start_within = kLong});
  ASSERT_TRUE(worker);
  EXPECT_EQ((*worker)->Load({.path = "fail-load", .threads = 0}, kLong).error().code,
            Errc::kCorrupt);
  EXPECT_TRUE((*worker)->alive());
  EXPECT_TRUE((*worker)->Load({.path = "plain", .threads = 0}, kLong));
}

TEST_F(WorkerTest, AnAbortIsATypedErrorWithItsLastWords) {
  Start("abort");
  auto result = RunIt();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::kWorkerLost);
  EXPECT_THAT(result.error().what, HasSubstr("signal 6"));
  EXPECT_THAT(result.error().what, HasSubstr("last words: CUDA error: unspecified launch failure"));
  EXPECT_FALSE(worker_->alive());
}

TEST_F(WorkerTest, AnExitIsATypedError) {
  Start("exit=3");
  auto result = RunIt();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what, "the worker exited with 3");
}

TEST_F(WorkerTest, AHangIsATimeoutAndTheProcessIsGone) {
  Start("hang");
  const pid_t pid = worker_->pid();
  const MonoTime begin = SystemClock().Now();
  EXPECT_EQ(RunIt(Milliseconds(100)).error().code, Errc::kTimeout);
  EXPECT_LT(SystemClock().Now() - begin, Milliseconds(2000));
  EXPECT_NE(::kill(pid, 0), 0) << "the hung worker is still there";
  EXPECT_EQ(worker_->Stats(kLong).error().code, Errc::kWorkerLost);
}

TEST_F(WorkerTest, AKilledWorkerIsNoticedAtOnce) {
  Start("slow=60000");
  std::thread killer([pid = worker_->pid()] {
    std::this_thread::sleep_for(Milliseconds(50));
    ::kill(pid, SIGKILL);
  });
  const MonoTime begin = SystemClock().Now();
  EXPECT_EQ(RunIt(Milliseconds(60'000)).error().code, Errc::kWorkerLost);
  EXPECT_LT(SystemClock().Now() - begin, Milliseconds(5000));
  killer.join();
}

TEST_F(WorkerTest, CancelEndsARunAndTheWorkerLivesOn) {
  Start("slow=60000");
  CancelToken cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(Milliseconds(50));
    cancel.Raise();
  });
  auto result = RunIt(Milliseconds(60'000), &cancel);
  canceller.join();
  EXPECT_EQ(result.error().code, Errc::kCancelled);
  EXPECT_TRUE(worker_->alive());
  EXPECT_EQ(worker_->Stats(kLong)->runs, 0);
}

TEST_F(WorkerTest, CancelOfADeafWorkerKillsIt) {
  Start("slow=60000 deaf");
  CancelToken cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(Milliseconds(50));
    cancel.Raise();
  });
  const MonoTime begin = SystemClock().Now();
  EXPECT_EQ(RunIt(Milliseconds(60'000), &cancel).error().code, Errc::kCancelled);
  EXPECT_LT(SystemClock().Now() - begin, Milliseconds(5000));
  canceller.join();
  EXPECT_FALSE(worker_->alive());
}

TEST_F(WorkerTest, ARaisedTokenCancelsBeforeAnythingIsSent) {
  Start("plain");
  CancelToken cancel;
  cancel.Raise();
  EXPECT_EQ(RunIt(kLong, &cancel).error().code, Errc::kCancelled);
  EXPECT_EQ(worker_->Stats(kLong)->runs, 0);
}

TEST_F(WorkerTest, AProgramThatSaysNothingIsATimeout) {
  auto worker = SpawnScript("sleep 100");
  ASSERT_FALSE(worker);
  EXPECT_EQ(worker.error().code, Errc::kTimeout);
}

TEST_F(WorkerTest, AProgramThatSpeaksNonsenseIsAProtocolError) {
  auto worker = SpawnScript("echo nonsense >&3; sleep 100");
  ASSERT_FALSE(worker);
  EXPECT_EQ(worker.error().code, Errc::kProtocol);
}

TEST_F(WorkerTest, AnotherVersionIsRefusedInWords) {
  // {"version": 99, "backend": "cpu", "engine": "x"} in CBOR
  auto worker = SpawnScript(
      R"(printf '\xa3\x67version\x18\x63\x67backend\x63cpu\x66engine\x61x' >&3; sleep 100)");
  ASSERT_FALSE(worker);
  EXPECT_THAT(worker.error().what, HasSubstr("protocol version 99"));
}

TEST_F(WorkerTest, AProgramThatEndsAtOnceSaysWhy) {
  auto worker = SpawnScript("echo 'libvulkan.so.1: cannot open' >&2; exit 127");
  ASSERT_FALSE(worker);
  EXPECT_EQ(worker.error().code, Errc::kWorkerLost);
  EXPECT_THAT(worker.error().what, HasSubstr("exited with 127"));
  EXPECT_THAT(worker.error().what, HasSubstr("libvulkan.so.1"));
}

TEST_F(WorkerTest, AMissingProgramIsNotFound) {
  auto worker = Worker::Spawn({.program = "headroom-worker-quantum", .start_within = kLong});
  EXPECT_EQ(worker.error().code, Errc::kNotFound);
}

TEST_F(WorkerTest, TooMuchAudioIsRefusedHere) {
  Start("plain");
  audio_.resize(kMaxRunSamples + 1);
  EXPECT_EQ(RunIt().error().code, Errc::kInvalid);
  audio_.clear();
  EXPECT_EQ(RunIt().error().code, Errc::kInvalid);
  EXPECT_TRUE(worker_->alive());
}

TEST(RunDeadline, FollowsTheMeasuredSpeed) {
  EXPECT_EQ(RunDeadline(Milliseconds(30'000), 0.1), Milliseconds(15'000));
  EXPECT_EQ(RunDeadline(Milliseconds(1'000), 0.1), Milliseconds(10'000));
  EXPECT_EQ(RunDeadline(Milliseconds(30'000), 0), Milliseconds(900'000));
}

}  // namespace
}  // namespace headroom::asr
