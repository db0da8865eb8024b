// Recordings through the real decoder and a worker of the scripted engine, whose text is the number
// of samples.
#include "app/serving/jobs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/testing/fake_scheduler.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mutex.h"
#include "speech/testing/fake_vad.h"

namespace headroom::app {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// 16-bit mono at 16 kHz: for each number so many seconds, loud and silent by turns.
std::string Wav(const std::vector<double>& seconds) {
  std::string pcm;
  bool loud = true;
  for (const double part : seconds) {
    const auto samples = static_cast<std::size_t>(part * 16000);
    for (std::size_t i = 0; i < samples; ++i) {
      const std::int16_t sample = loud ? (i % 2 == 0 ? 9'000 : -9'000) : 0;
      pcm.append(reinterpret_cast<const char*>(&sample), 2);
    }
    loud = !loud;
  }
  const auto number = [](std::uint32_t value) {
    return std::string(reinterpret_cast<const char*>(&value), 4);
  };
  const auto size = static_cast<std::uint32_t>(pcm.size());
  return "RIFF" + number(36 + size) + "WAVEfmt " + number(16) + std::string("\1\0\1\0", 4) +
         number(16'000) + number(32'000) + std::string("\2\0\20\0", 4) + "data" + number(size) +
         pcm;
}

Fd FileOf(const std::string& bytes) {
  auto file = headroom::Open(testing::TempDir(), O_TMPFILE | O_RDWR);
  EXPECT_TRUE(file);
  EXPECT_EQ(::pwrite(file->get(), bytes.data(), bytes.size(), 0),
            static_cast<ssize_t>(bytes.size()));
  return std::move(*file);
}

Result<std::unique_ptr<speech::SpeechProbability>> MakeVad() {
  return std::make_unique<speech::FakeVad>();
}

class JobsTest : public testing::Test {
 protected:
  void Begin(const std::string& script) { scheduler_ = FakeScheduler(script); }

  struct Run {
    Mutex mutex;
    CondVar ended;
    std::vector<std::string> texts GUARDED_BY(mutex);
    std::optional<Result<net::JobEvents::Outcome>> outcome GUARDED_BY(mutex);
    std::unique_ptr<net::TranscriptionJob> job;

    std::vector<std::string> Texts() EXCLUDES(mutex) {
      const MutexLock lock(mutex);
      return texts;
    }
    Result<net::JobEvents::Outcome> Wait() {
      const MutexLock lock(mutex);
      if (!ended.WaitFor(mutex, std::chrono::seconds(60),
                         [&]() REQUIRES(mutex) { return outcome.has_value(); }))
        return Fail(Errc::kTimeout, "it did not end");
      return *outcome;
    }
  };
  void Start(Run& run, Fd recording, DetectorMaker detector = MakeVad) {
    speech::RecognitionOptions request;
    request.language = "en";
    auto job = StartJob(*scheduler_, decoder_, std::move(detector), std::move(recording), request,
                        {.on_segment =
                             [&run](const speech::Segment& segment) {
                               const MutexLock lock(run.mutex);
                               run.texts.push_back(segment.text);
                             },
                         .on_end =
                             [&run](Result<net::JobEvents::Outcome> outcome) {
                               const MutexLock lock(run.mutex);
                               EXPECT_FALSE(run.outcome.has_value());
                               run.outcome = std::move(outcome);
                               run.ended.NotifyAll();
                             }});
    ASSERT_TRUE(job);
    run.job = std::move(*job);
  }

  audio::WaitingDecoder decoder_;
  std::unique_ptr<asr::Scheduler> scheduler_;
};

TEST_F(JobsTest, ARecordingBecomesSegmentsAndAnEnd) {
  Begin("slow=5");
  Run run;
  Start(run, FileOf(Wav({2, 3, 20, 3, 20})));
  const auto outcome = run.Wait();
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_GE(run.Texts().size(), 2U);
  EXPECT_THAT(run.Texts(), Each(HasSubstr("samples in en")));
  EXPECT_EQ(outcome->language, "en");
  EXPECT_EQ(outcome->duration, Milliseconds(48'000));
  EXPECT_THAT(outcome->model, HasSubstr("slow=5"));
  EXPECT_THAT(outcome->warnings, IsEmpty());
  run.job.reset();
  EXPECT_NE(decoder_.pid(), 0) << "the next recording's decoder should wait";
}

TEST_F(JobsTest, WhatIsNoSoundIsTheClientsError) {
  Begin("slow=5");
  for (const std::string& bytes :
       {std::string(), std::string("not sound at all"), Wav({1}).substr(0, 20)}) {
    Run run;
    Start(run, FileOf(bytes));
    const auto outcome = run.Wait();
    ASSERT_FALSE(outcome) << bytes.size();
    EXPECT_TRUE(outcome.error().code == Errc::kCorrupt ||
                outcome.error().code == Errc::kUnsupported)
        << outcome.error().what;
    EXPECT_THAT(run.Texts(), IsEmpty());
  }
}

TEST_F(JobsTest, SilenceHasNoText) {
  Begin("slow=5");
  Run run;
  Start(run, FileOf(Wav({0, 5})));
  const auto outcome = run.Wait();
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_THAT(run.Texts(), IsEmpty());
  EXPECT_EQ(outcome->duration, Milliseconds(5'000));
}

TEST_F(JobsTest, AModelThatFailsIsAnErrorAndNotHalfAText) {
  Begin("abort");
  Run run;
  Start(run, FileOf(Wav({2, 3, 20})));
  const auto outcome = run.Wait();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::kWorkerLost);
}

TEST_F(JobsTest, AWorkerThatWasKilledIsAskedAgain) {
  const std::string once = testing::TempDir() + "jobs_test_abort_once";
  ASSERT_TRUE(WriteFileAtomic(once, ""));
  Begin("abort-if=" + once);
  Run run;
  Start(run, FileOf(Wav({2, 3, 20})));
  const auto outcome = run.Wait();
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_THAT(run.Texts(), SizeIs(2));
  EXPECT_NE(::access(once.c_str(), F_OK), 0);
}

TEST_F(JobsTest, ADetectorThatCannotBeHad) {
  Begin("slow=5");
  Run run;
  Start(run, FileOf(Wav({2})), []() -> Result<std::unique_ptr<speech::SpeechProbability>> {
    return Fail(Errc::kNotFound, "no detector");
  });
  const auto outcome = run.Wait();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().what, "no detector");
}

TEST_F(JobsTest, AClientThatGoesAwayEndsItAtOnce) {
  Begin("slow=60000");
  auto run = std::make_unique<Run>();
  Start(*run, FileOf(Wav({2, 3, 20})));
  while (scheduler_->waiting() == 0) std::this_thread::yield();
  run->job.reset();
  {
    const MutexLock lock(run->mutex);
    ASSERT_TRUE(run->outcome.has_value());
    ASSERT_FALSE(*run->outcome);
    EXPECT_EQ(run->outcome->error().code, Errc::kCancelled);
  }
  // And another one is served.
  Run next;
  scheduler_.reset();
  Begin("slow=5");
  Start(next, FileOf(Wav({2})));
  EXPECT_TRUE(next.Wait());
}

TEST_F(JobsTest, WhileNoModelMayBeLoadedItWaits) {
  Begin("slow=5");
  ASSERT_TRUE(scheduler_->Suspend());
  Run run;
  Start(run, FileOf(Wav({2})));
  while (scheduler_->waiting() == 0) std::this_thread::yield();
  scheduler_->Resume();
  EXPECT_TRUE(run.Wait());
  EXPECT_THAT(run.Texts(), SizeIs(1));
}

}  // namespace
}  // namespace headroom::app
