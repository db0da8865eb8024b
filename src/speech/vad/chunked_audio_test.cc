#include "speech/vad/chunked_audio.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "speech/testing/fake_vad.h"

namespace headroom::speech {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Every sample of speech has its own value, so that a chunk shows where it came from.
std::vector<float> Speech(std::size_t samples) {
  std::vector<float> speech(samples);
  for (std::size_t i = 0; i < samples; ++i)
    speech[i] = 0.1F + 0.8F * static_cast<float>(i % 7919) / 7919.0F;
  return speech;
}

void Append(std::vector<float>& to, const std::vector<float>& what) {
  to.insert(to.end(), what.begin(), what.end());
}

std::vector<Chunk> Drain(ChunkedAudio& audio, std::span<const float> samples, std::size_t block) {
  std::vector<Chunk> chunks;
  while (!samples.empty()) {
    const auto piece = samples.first(std::min(block, samples.size()));
    EXPECT_TRUE(audio.Feed(piece));
    while (auto chunk = audio.Next()) chunks.push_back(*std::move(chunk));
    samples = samples.subspan(piece.size());
  }
  EXPECT_TRUE(audio.Finish());
  while (auto chunk = audio.Next()) chunks.push_back(*std::move(chunk));
  return chunks;
}

TEST(ChunkedAudio, ChunksAreTheSamplesOfTheirPlaceHoweverTheyWereFed) {
  std::vector<float> recording(50'000);
  Append(recording, Speech(80'000));
  Append(recording, std::vector<float>(40'001));
  Append(recording, Speech(1'000'000));  // must be cut by force
  Append(recording, std::vector<float>(50'000));
  Append(recording, Speech(30'123));  // ends in the middle of a frame

  std::vector<Chunk> first;
  for (const std::size_t block : {1U, 511U, 512U, 16'000U, 2'000'000U}) {
    FakeVad vad;
    ChunkedAudio audio(vad, {});
    const auto chunks = Drain(audio, recording, block);
    ASSERT_GE(chunks.size(), 5U);
    for (const Chunk& chunk : chunks) {
      ASSERT_TRUE(std::equal(chunk.samples.begin(), chunk.samples.end(),
                             recording.begin() + chunk.start_sample));
      EXPECT_LE(chunk.samples.size(), 28U * 16'000);
    }
    EXPECT_EQ(chunks.back().start_sample + static_cast<std::int64_t>(chunks.back().samples.size()),
              static_cast<std::int64_t>(recording.size()));
    EXPECT_TRUE(chunks[1].forced);
    EXPECT_GT(chunks[2].overlap, 31'000);
    EXPECT_EQ(audio.samples_fed(), static_cast<std::int64_t>(recording.size()));
    if (first.empty()) first = chunks;
    ASSERT_EQ(chunks.size(), first.size());
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      EXPECT_EQ(chunks[i].start_sample, first[i].start_sample);
      EXPECT_EQ(chunks[i].samples.size(), first[i].samples.size());
    }
  }
}

TEST(ChunkedAudio, MemoryIsFlatOverHours) {
  FakeVad vad;
  ChunkedAudio audio(vad, {});
  std::mt19937 random(1);
  std::int64_t most = 0;
  const auto speech = Speech(160'000);
  const std::vector<float> silence(160'000);
  for (int i = 0; i < 400; ++i) {  // about 30 minutes
    const auto size = std::uniform_int_distribution<std::size_t>(1, 160'000)(random);
    ASSERT_TRUE(audio.Feed(std::span(random() % 3 == 0 ? silence : speech).first(size)));
    while (audio.Next()) {
    }
    most = std::max(most, audio.samples_held());
  }
  EXPECT_LE(most, (28 + 2 + 2) * 16'000);
  EXPECT_GE(most, 20 * 16'000);
}

TEST(ChunkedAudio, DamagedSamplesAreRepairedAndCounted) {
  FakeVad vad;
  ChunkedAudio audio(vad, {});
  auto recording = Speech(32'000);
  recording[16'000] = kNaN;
  recording[17'000] = kInfinity;
  const auto chunks = Drain(audio, recording, 4000);
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0].samples[16'000], 0.0F);
  EXPECT_EQ(audio.samples_repaired(), 2);
}

TEST(ChunkedAudio, NothingAndLessThanAFrame) {
  FakeVad vad;
  ChunkedAudio nothing(vad, {});
  EXPECT_TRUE(Drain(nothing, {}, 1).empty());
  ChunkedAudio little(vad, {});
  EXPECT_TRUE(Drain(little, Speech(100), 100).empty());
}

TEST(ChunkedAudio, ADetectorsErrorComesThrough) {
  FakeVad vad;
  vad.feeds_until_failure = 2;
  ChunkedAudio audio(vad, {});
  EXPECT_TRUE(audio.Feed(Speech(100)));
  const auto failed = audio.Feed(Speech(100));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().what, "scripted failure");
}

TEST(ChunkedAudioDeathTest, FeedingOnWithoutTakingChunksIsABug) {
  FakeVad vad;
  ChunkedAudio audio(vad, {});
  ASSERT_TRUE(audio.Feed(Speech(1'000'000)));
  EXPECT_DEATH((void)audio.Feed(Speech(1)), "ready_.empty");
}

}  // namespace
}  // namespace headroom::speech
