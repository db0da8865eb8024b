#include "speech/vad/listener.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "speech/testing/fake_vad.h"

namespace headroom::speech {
namespace {

TEST(SampleRing, HoldsTheLastSamplesAndSaysWhatIsGone) {
  SampleRing ring(10);
  EXPECT_TRUE(ring.Read(0, 0).value().empty());
  float next = 0;
  for (const std::size_t size : {3U, 4U, 5U, 1U, 25U, 10U}) {
    std::vector<float> some(size);
    for (float& sample : some) sample = next++;
    ring.Append(some);
    EXPECT_EQ(ring.end(), static_cast<std::int64_t>(next));
    EXPECT_EQ(ring.first(), std::max<std::int64_t>(0, ring.end() - 10));
    for (auto begin = ring.first(); begin <= ring.end(); ++begin) {
      for (auto end = begin; end <= ring.end(); ++end) {
        const auto read = ring.Read(begin, end);
        ASSERT_TRUE(read) << read.error().what;
        ASSERT_EQ(static_cast<std::int64_t>(read->size()), end - begin);
        for (std::size_t i = 0; i < read->size(); ++i)
          ASSERT_EQ((*read)[i], static_cast<float>(begin + static_cast<std::int64_t>(i)));
      }
    }
  }
  EXPECT_EQ(ring.Read(ring.first() - 1, ring.end()).error().code, Errc::kNotFound);
  EXPECT_FALSE(ring.Read(ring.first(), ring.end() + 1));
  EXPECT_FALSE(ring.Read(ring.end(), ring.first()));
  ring.Clear();
  EXPECT_EQ(ring.end(), 0);
  EXPECT_FALSE(ring.Read(0, 1));
}

// Every sample has a value of its own, so that a shift by one would be seen.
std::vector<float> Sound(std::int64_t samples, bool loud, std::int64_t at) {
  std::vector<float> sound;
  for (std::int64_t i = 0; i < samples; ++i)
    sound.push_back((loud ? 0.5F : 0.0F) + static_cast<float>((at + i) % 4096) / 1e6F);
  return sound;
}

struct Heard {
  std::vector<Change> ends;
  std::vector<std::vector<float>> audio;
};

Heard Hear(Listener& listener, std::span<const float> recording, std::size_t block) {
  Heard heard;
  const auto take = [&](std::span<const Change> changes) {
    for (const Change& change : changes) {
      if (change.kind == SpeechChange::kResume) continue;
      const auto audio = listener.Audio(change.begin, change.end);
      ASSERT_TRUE(audio) << audio.error().what;
      if (change.kind != SpeechChange::kEnd) continue;
      heard.ends.push_back(change);
      heard.audio.push_back(*audio);
    }
  };
  while (!recording.empty()) {
    const auto some = recording.first(std::min(block, recording.size()));
    recording = recording.subspan(some.size());
    const auto changes = listener.Feed(audio::FiniteSpan::OfFinite(some));
    EXPECT_TRUE(changes);
    take(*changes);
    if (listener.open()) {
      EXPECT_GT(listener.heard(), 0);
    }
  }
  take(listener.Finish());
  return heard;
}

TEST(Listener, GivesExactlyTheAudioOfEachUtteranceWhateverTheBlocks) {
  std::mt19937 random(7);
  std::vector<float> recording;
  for (int i = 0; i < 40; ++i) {
    std::uniform_int_distribution<std::int64_t> size(100, i == 20 ? 900'000 : 60'000);
    const auto more = Sound(size(random), i % 2 != 0, static_cast<std::int64_t>(recording.size()));
    recording.insert(recording.end(), more.begin(), more.end());
  }
  FakeVad vad;
  Listener listener(vad, {});
  const Heard expected = Hear(listener, recording, 4000);
  ASSERT_GT(expected.ends.size(), 10U);
  for (std::size_t i = 0; i < expected.ends.size(); ++i) {
    const auto [begin, end] = std::pair(expected.ends[i].begin, expected.ends[i].end);
    ASSERT_TRUE(std::equal(expected.audio[i].begin(), expected.audio[i].end(),
                           recording.begin() + begin, recording.begin() + end));
  }
  for (const std::size_t block : {1U, 160U, 513U, 16'000U}) {
    const Heard again = Hear(listener, recording, block);
    ASSERT_EQ(again.audio, expected.audio) << block;
  }
}

TEST(Listener, GivesFiniteAudioOfSamplesThatWereNot) {
  FakeVad vad;
  Listener listener(vad, {});
  auto recording = Sound(16'000, true, 0);
  recording[5] = std::numeric_limits<float>::quiet_NaN();
  recording[6] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(audio::MakeFinite(recording), 2U);
  const Heard heard = Hear(listener, recording, 4000);
  ASSERT_EQ(heard.audio.size(), 1U);
  EXPECT_EQ(heard.audio[0].size(), 16'000U) << "not filled up to a whole frame";
  EXPECT_TRUE(std::ranges::all_of(heard.audio[0], [](float x) { return std::isfinite(x); }));
}

TEST(Listener, AFailedDetectorIsAnErrorAndFinishKeepsWhatWasSaid) {
  FakeVad vad;
  Listener listener(vad, {});
  ASSERT_TRUE(listener.Feed(audio::FiniteSpan::OfFinite(Sound(16'000, true, 0))));
  vad.feeds_until_failure = 1;
  EXPECT_FALSE(listener.Feed(audio::FiniteSpan::OfFinite(Sound(4000, true, 16'000))));
  const auto ended = listener.Finish();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].kind, SpeechChange::kEnd);
  EXPECT_TRUE(listener.Audio(ended[0].begin, ended[0].end));
}

TEST(Listener, CancelledSpeechDoesNotComeBackAsPreRoll) {
  FakeVad vad;
  Listener listener(vad, {});
  ASSERT_TRUE(listener.Feed(audio::FiniteSpan::OfFinite(Sound(16'000, true, 0))));
  ASSERT_TRUE(listener.open());
  listener.Cancel();
  EXPECT_FALSE(listener.open());
  ASSERT_TRUE(listener.Feed(audio::FiniteSpan::OfFinite(Sound(3200, false, 16'000))));
  const auto begun = listener.Feed(audio::FiniteSpan::OfFinite(Sound(8000, true, 19'200))).value();
  ASSERT_EQ(begun.size(), 1U);
  EXPECT_GE(begun[0].begin, 15'872);
}

}  // namespace
}  // namespace headroom::speech
