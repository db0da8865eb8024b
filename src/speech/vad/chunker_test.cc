#include "speech/vad/chunker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "speech/vad/vad.h"

namespace headroom::speech {
namespace {

constexpr std::int64_t kFrame = kFrameSamples;

struct Frame {
  float probability, energy;
};

std::vector<Frame> Repeat(std::size_t frames, float probability, float energy = 0.01F) {
  return std::vector<Frame>(frames, {probability, energy});
}

std::vector<Frame> operator+(std::vector<Frame> a, const std::vector<Frame>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::vector<ChunkSpan> ChunksOf(const std::vector<Frame>& frames,
                                const ChunkerOptions& options = {}) {
  Chunker chunker(options);
  std::vector<ChunkSpan> chunks;
  std::int64_t needed = 0, pushed = 0;
  for (const Frame& frame : frames) {
    const auto chunk = chunker.Push(frame.probability, frame.energy);
    ++pushed;
    if (chunk) {
      EXPECT_GE(chunk->start, needed) << "asks for audio that it gave up";
      chunks.push_back(*chunk);
    }
    EXPECT_GE(chunker.first_needed(), needed);
    needed = chunker.first_needed();
    EXPECT_LE(pushed * kFrame - needed, chunker.most_samples());
  }
  if (const auto chunk = chunker.Finish()) chunks.push_back(*chunk);
  return chunks;
}

// 10 frames are 320 ms, 63 are 2016 ms.
TEST(Chunker, SilenceGivesNothing) {
  EXPECT_TRUE(ChunksOf(Repeat(10'000, 0.02F)).empty());
  EXPECT_TRUE(ChunksOf({}).empty());
}

TEST(Chunker, OneSentenceWithItsPadding) {
  const auto chunks = ChunksOf(Repeat(100, 0) + Repeat(50, 0.9F) + Repeat(100, 0));
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0].start, (100 - 13) * kFrame);
  EXPECT_EQ(chunks[0].end, (150 + 13) * kFrame);
  EXPECT_EQ(chunks[0].overlap, 0);
  EXPECT_FALSE(chunks[0].forced);
  EXPECT_EQ(chunks[0].evidence.speech, Milliseconds(1600));
  EXPECT_FLOAT_EQ(chunks[0].evidence.probability, 0.9F);
}

TEST(Chunker, SpeechAtBothEndsOfTheRecording) {
  const auto chunks = ChunksOf(Repeat(50, 0.9F));
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0].start, 0);
  EXPECT_EQ(chunks[0].end, 50 * kFrame);
}

TEST(Chunker, HysteresisGoesOnBetweenTheThresholds) {
  EXPECT_TRUE(ChunksOf(Repeat(50, 0.49F)).empty());
  const auto chunks = ChunksOf(Repeat(1, 0.5F) + Repeat(49, 0.35F) + Repeat(20, 0.34F));
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0].evidence.speech, Milliseconds(1600));
}

TEST(Chunker, ShortPausesAreGroupedAndLongOnesEndAChunk) {
  const auto speech = Repeat(30, 1);
  EXPECT_EQ(ChunksOf(speech + Repeat(62, 0) + speech).size(), 1U);
  EXPECT_EQ(ChunksOf(speech + Repeat(64, 0) + speech).size(), 2U);
}

TEST(Chunker, ABlipAloneIsDroppedAndBesideSpeechIsKept) {
  const auto blip = Repeat(3, 1);
  EXPECT_TRUE(ChunksOf(Repeat(70, 0) + blip + Repeat(70, 0)).empty());
  const auto chunks = ChunksOf(blip + Repeat(30, 0) + Repeat(50, 1));
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0].start, 0);
}

TEST(Chunker, LongSpeechIsCutInTheLongestPauseOfTheLaterHalf) {
  // 875 frames fit. Pauses: 50 frames early, 10 and 30 and 5 late.
  const auto chunks =
      ChunksOf(Repeat(100, 1) + Repeat(50, 0) + Repeat(400, 1) + Repeat(10, 0) + Repeat(100, 1) +
               Repeat(30, 0) + Repeat(100, 1) + Repeat(5, 0) + Repeat(200, 1));
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(chunks[0].end, (660 + 13) * kFrame);
  EXPECT_EQ(chunks[1].start, (690 - 13) * kFrame);
  EXPECT_EQ(chunks[1].overlap, 0);
  EXPECT_FALSE(chunks[0].forced);
}

TEST(Chunker, NeighboursShareAShortPause) {
  const auto chunks = ChunksOf(Repeat(600, 1) + Repeat(5, 0) + Repeat(600, 1));
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(chunks[0].end, 602 * kFrame);
  EXPECT_EQ(chunks[1].start, 602 * kFrame);
}

TEST(Chunker, AnEarlyPauseIsBetterThanNone) {
  const auto chunks = ChunksOf(Repeat(100, 1) + Repeat(5, 0) + Repeat(840, 1));
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_FALSE(chunks[0].forced);
  EXPECT_EQ(chunks[0].end, 102 * kFrame);
}

TEST(Chunker, ADipInsideAWordIsNoPause) {
  const auto chunks = ChunksOf(Repeat(600, 1) + Repeat(2, 0) + Repeat(600, 1));
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_TRUE(chunks[0].forced) << "but it is where a forced cut goes";
  EXPECT_EQ(chunks[0].end, 602 * kFrame);
}

TEST(Chunker, AForcedCutGoesByProbabilityThenByEnergy) {
  auto frames = Repeat(1000, 0.98F, 0.1F);
  frames[500] = {0.97F, 0.001F};  // same tenth, but quiet
  frames[300] = {0.5F, 0.0F};     // not in the later half
  auto chunks = ChunksOf(frames);
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_TRUE(chunks[0].forced);
  EXPECT_EQ(chunks[0].end, 501 * kFrame);
  EXPECT_EQ(chunks[1].overlap, 63 * kFrame);
  EXPECT_EQ(chunks[1].start, chunks[0].end - chunks[1].overlap);
  EXPECT_FALSE(chunks[1].forced);

  frames[700] = {0.6F, 0.2F};  // loud, but less like speech
  chunks = ChunksOf(frames);
  EXPECT_EQ(chunks[0].end, 701 * kFrame);
}

TEST(Chunker, TenMinutesWithoutAPauseAreCoveredWithOverlaps) {
  const auto chunks = ChunksOf(Repeat(18'750, 1));
  ASSERT_GE(chunks.size(), 22U);
  EXPECT_EQ(chunks.front().start, 0);
  EXPECT_EQ(chunks.back().end, 18'750 * kFrame);
  for (std::size_t i = 1; i < chunks.size(); ++i) {
    EXPECT_TRUE(chunks[i - 1].forced);
    EXPECT_EQ(chunks[i].overlap, 63 * kFrame);
    EXPECT_EQ(chunks[i].start + chunks[i].overlap, chunks[i - 1].end);
  }
  EXPECT_FALSE(chunks.back().forced);
}

TEST(Chunker, OptionsForAnyLimitMakeSense) {
  for (int limit = 0; limit < 40'000; limit += 77) {
    const auto options = ChunkerOptions::For(Milliseconds(limit));
    for (const ChunkSpan& chunk : ChunksOf(Repeat(3000, 1), options))
      ASSERT_LE(chunk.end - chunk.start, std::max(limit, 1000) * 16);
  }
  EXPECT_EQ(ChunkerOptions::For(Milliseconds(30'000)).overlap, Milliseconds(2000));
}

TEST(Chunker, FinishResetsAndNaNIsSilence) {
  Chunker chunker({});
  for (int i = 0; i < 40; ++i) chunker.Push(1, 0);
  EXPECT_EQ(chunker.Finish()->start, 0);
  EXPECT_FALSE(chunker.Finish());
  for (int i = 0; i < 40; ++i) chunker.Push(std::numeric_limits<float>::quiet_NaN(), 0);
  EXPECT_FALSE(chunker.Finish());
}

// Invariants over random audio, compared with an independent definition of speech.

std::vector<bool> SpeechOf(const std::vector<Frame>& frames, const ChunkerOptions& options) {
  std::vector<bool> speech;
  bool now = false;
  for (const Frame& frame : frames)
    speech.push_back(now = frame.probability >= (now ? options.leave : options.enter));
  return speech;
}

// Speech in stretches long enough to be kept.
std::vector<bool> WantedOf(const std::vector<bool>& speech, std::int64_t max_pause,
                           std::int64_t min_speech) {
  std::vector<bool> wanted(speech.size());
  std::vector<std::size_t> stretch;
  const auto close = [&] {
    if (static_cast<std::int64_t>(stretch.size()) >= min_speech)
      for (const std::size_t frame : stretch) wanted[frame] = true;
    stretch.clear();
  };
  for (std::size_t i = 0; i < speech.size(); ++i) {
    if (!speech[i]) continue;
    if (!stretch.empty() && static_cast<std::int64_t>(i - stretch.back()) - 1 > max_pause) close();
    stretch.push_back(i);
  }
  close();
  return wanted;
}

std::vector<Frame> RandomRecording(std::mt19937& random) {
  const auto uniform = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  // Mean lengths of speech and silence, and how often a frame is out of line, differ per recording.
  const double speech = std::exp(uniform(0, 8)), silence = std::exp(uniform(0, 5));
  const double odd = uniform(0, 1) < 0.5 ? 0 : uniform(0, 0.3);
  std::vector<Frame> frames;
  bool on = false;
  const auto size = static_cast<std::size_t>(uniform(0, 6000));
  while (frames.size() < size) {
    const auto length = 1 + static_cast<std::size_t>(std::exponential_distribution<double>(
                                1 / (on ? speech : silence))(random));
    for (std::size_t i = 0; i < length && frames.size() < size; ++i) {
      const double p = uniform(0, 1) < odd ? uniform(0, 1) : on ? uniform(0.4, 1) : uniform(0, 0.4);
      frames.push_back({static_cast<float>(p), static_cast<float>(uniform(0, 0.1))});
    }
    on = !on;
  }
  return frames;
}

class ChunkerProperties : public testing::TestWithParam<unsigned> {};

TEST_P(ChunkerProperties, Hold) {
  std::mt19937 random(GetParam());
  for (int round = 0; round < 40; ++round) {
    ChunkerOptions options;
    options.max_chunk = Milliseconds(std::uniform_int_distribution<int>(5000, 30'000)(random));
    options.max_pause = Milliseconds(std::uniform_int_distribution<int>(500, 3000)(random));
    options.pad_before = Milliseconds(std::uniform_int_distribution<int>(0, 480)(random));
    options.pad_after = Milliseconds(std::uniform_int_distribution<int>(0, 490)(random));
    const auto frames = RandomRecording(random);
    const auto speech = SpeechOf(frames, options);
    const auto in_frames = [](Milliseconds time) { return (time.count() * 16 + 511) / 512; };
    const std::int64_t min_pause = in_frames(options.min_pause);
    const std::int64_t before = in_frames(options.pad_before), after = in_frames(options.pad_after);
    const auto wanted =
        WantedOf(speech, in_frames(options.max_pause), in_frames(options.min_speech));
    const std::int64_t max_chunk = options.max_chunk.count() * 16 / 512;

    const auto chunks = ChunksOf(frames, options);
    std::vector<int> covered(frames.size());
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      const ChunkSpan& chunk = chunks[i];
      const std::int64_t begin = chunk.start / kFrame, end = chunk.end / kFrame;
      ASSERT_LT(begin, end);
      ASSERT_LE(end, static_cast<std::int64_t>(frames.size()));
      ASSERT_LE(end - begin, max_chunk);
      const std::int64_t overlap = i > 0 && chunks[i - 1].forced ? in_frames(options.overlap) : 0;
      ASSERT_EQ(chunk.overlap, overlap * kFrame);
      if (i > 0 && overlap > 0) {
        ASSERT_EQ(chunk.start + chunk.overlap, chunks[i - 1].end);
      }
      if (i > 0 && overlap == 0) {
        ASSERT_GE(chunk.start, chunks[i - 1].end);
      }
      for (std::int64_t frame = begin + overlap; frame < end; ++frame)
        ++covered[static_cast<std::size_t>(frame)];

      // Nothing but padding at the ends, nothing silent for long inside.
      std::int64_t silent = 0;
      for (std::int64_t frame = begin; frame < end; ++frame) {
        silent = speech[static_cast<std::size_t>(frame)] ? 0 : silent + 1;
        ASSERT_LE(silent, in_frames(options.max_pause));
        if (frame == begin + before) {
          ASSERT_LE(silent, before);
        }
      }
      ASSERT_LE(silent, after);

      if (!chunk.forced) continue;
      // Only where the window has no pause between two frames of speech.
      std::int64_t last = -1;
      for (std::int64_t frame = begin; frame <= begin + max_chunk - min_pause; ++frame) {
        if (!speech[static_cast<std::size_t>(frame)]) continue;
        if (last >= 0) {
          ASSERT_LT(frame - last - 1, min_pause);
        }
        last = frame;
      }
    }
    for (std::size_t frame = 0; frame < frames.size(); ++frame)
      ASSERT_TRUE(wanted[frame] ? covered[frame] == 1 : covered[frame] <= 1)
          << "frame " << frame << " covered " << covered[frame] << " times";
    for (std::size_t frame = 0; frame < frames.size(); ++frame)
      if (speech[frame] && !wanted[frame]) {
        ASSERT_EQ(covered[frame], 0);
      }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ChunkerProperties, testing::Range(1U, 11U));

}  // namespace
}  // namespace headroom::speech
