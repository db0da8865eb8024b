#include "asr/client/recognizer.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <thread>

#include "asr/client/decoding.h"

namespace headroom::asr {
namespace {

Recognizer Scripted(const std::string& script) {
  return Recognizer({.program = "headroom-worker-fake", .start_within = Milliseconds(5000)},
                    {.path = script, .threads = 1});
}
const RecognitionOptions kEnglish{.language = "en", .vocabulary = {}, .prompt = {}};

TEST(Recognizer, StartsByItselfAndCountsItsRate) {
  Recognizer recognizer = Scripted("slow=20");
  const audio::FiniteAudio second(std::vector<float>(16000, 0.1F));
  auto result = recognizer.Recognize(kEnglish, second);
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->transcript.segments[0].text, "16000 samples in en");
  EXPECT_GE(recognizer.rate(), 0.02);
  EXPECT_EQ(recognizer.restarts(), 0);
}

TEST(Recognizer, AWorkerThatDiesAtEveryRunIsTriedTwiceAndThenAnError) {
  Recognizer recognizer = Scripted("abort");
  auto result = recognizer.Recognize(kEnglish, audio::FiniteAudio(std::vector<float>(16000)));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::kWorkerLost);
  EXPECT_EQ(recognizer.restarts(), 1);
}

TEST(Recognizer, ALoadThatFailsIsTheErrorItself) {
  Recognizer recognizer = Scripted("fail-load");
  EXPECT_EQ(recognizer.Start().error().code, Errc::kCorrupt);
}

TEST(Recognizer, TruncatedResultsAreAskedForInPiecesWithRightTimes) {
  Recognizer recognizer = Scripted("truncated");
  const std::size_t total = 12 * 16000;
  auto result = recognizer.Recognize(kEnglish, audio::FiniteAudio(std::vector<float>(total, 0.1F)));
  ASSERT_TRUE(result);
  // The fake always says truncated, so it ends with pieces too short to cut, still marked.
  EXPECT_TRUE(result->truncated);
  const auto& segments = result->transcript.segments;
  ASSERT_GT(segments.size(), 2u);
  std::size_t samples = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    samples += std::stoul(segments[i].text);
    if (i == 0) continue;
    EXPECT_LE(std::abs((segments[i].start - segments[i - 1].end).count()), 2) << i;
  }
  EXPECT_EQ(samples, total) << "a sample was lost or given twice";
  EXPECT_NEAR(static_cast<double>(segments.back().end.count()), 12000, 3);
}

TEST(Recognizer, CancelledIsNotRetried) {
  Recognizer recognizer = Scripted("slow=60000");
  ASSERT_TRUE(recognizer.Start());
  CancelToken cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(Milliseconds(30));
    cancel.Raise();
  });
  EXPECT_EQ(recognizer.Recognize(kEnglish, audio::FiniteAudio(std::vector<float>(16000)), &cancel)
                .error()
                .code,
            Errc::kCancelled);
  canceller.join();
  EXPECT_EQ(recognizer.restarts(), 0);
}

TEST(QuietestCut, FindsTheGapInTheMiddleHalf) {
  std::vector<float> samples(16000 * 4);
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = std::sin(static_cast<float>(i));
  std::fill(samples.begin() + 20000, samples.begin() + 23000, 0.001F);
  std::fill(samples.begin(), samples.begin() + 9000, 0.0F);  // quieter, but not in the middle
  const std::size_t cut = QuietestCut(samples);
  EXPECT_GE(cut, 20000u);
  EXPECT_LE(cut, 23000u);
  EXPECT_LT(QuietestCut(std::vector<float>(100)), 100u);
}

}  // namespace
}  // namespace headroom::asr
