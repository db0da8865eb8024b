#include "speech/vad/endpointer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "speech/vad/vad.h"

namespace headroom::speech {
namespace {

// In frames: pre-roll 500 ms are 16, pause 320 ms 10, silence 800 ms 25, min_speech 128 ms 4.
constexpr std::int64_t kFrame = kFrameSamples;

std::vector<float> Repeat(std::size_t frames, float probability) {
  return std::vector<float>(frames, probability);
}
std::vector<float> operator+(std::vector<float> a, const std::vector<float>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct Seen {
  std::int64_t at;  // frames pushed when it came
  Change change;
};

void Take(std::vector<Seen>& seen, std::int64_t at, std::span<const Change> changes) {
  for (const Change& change : changes) seen.push_back({at, change});
}

std::vector<Seen> ChangesOf(const std::vector<float>& frames, const EndpointOptions& options = {}) {
  Endpointer endpointer(options);
  std::vector<Seen> seen;
  std::int64_t at = 0;
  for (const float frame : frames) {
    const auto changes = endpointer.Push(frame);
    Take(seen, ++at, changes);
    EXPECT_LE(at * kFrame - endpointer.first_needed(), endpointer.most_samples());
  }
  Take(seen, at, endpointer.Finish());
  return seen;
}

// "B4 16-20" …: kind, frames pushed when it came, positions in frames.
std::string Describe(const std::vector<Seen>& seen) {
  std::string text;
  for (const auto& [at, change] : seen) {
    if (!text.empty()) text += ", ";
    text += "BPRE"[static_cast<std::size_t>(change.kind)];
    text += fmt::format("{} {}-{}", at, change.begin / kFrame, change.end / kFrame);
    if (change.forced) text += "!";
  }
  return text;
}

TEST(Endpointer, Tables) {
  const auto talk = Repeat(50, 0.9F), hush = Repeat(100, 0.01F), gap = Repeat(15, 0);
  struct Case {
    const char* what;
    std::vector<float> frames;
    const char* expected;
  };
  const Case cases[] = {
      {"nothing", {}, ""},
      {"silence", Repeat(5000, 0.3F), ""},
      {"a sentence", hush + talk + hush, "B104 84-104, P160 84-160, E175 84-160"},
      {"speech at once, and until the end", talk, "B4 0-4, E50 0-50"},
      {"ends in the pause", talk + Repeat(12, 0), "B4 0-4, P60 0-60, E62 0-60"},
      {"ends before the pause", talk + Repeat(3, 0), "B4 0-4, E53 0-53"},
      {"a dip inside a word", talk + Repeat(9, 0) + talk + hush, "B4 0-4, P119 0-119, E134 0-119"},
      {"a pause and on", talk + gap + talk + hush,
       "B4 0-4, P60 0-60, R66 0-66, P125 0-125, E140 0-125"},
      {"two sentences share the silence", talk + Repeat(25, 0) + talk + hush,
       "B4 0-4, P60 0-60, E75 0-60, B79 60-79, P135 60-135, E150 60-135"},
      {"one frame less of silence", talk + Repeat(24, 0) + talk + Repeat(1, 0),
       "B4 0-4, P60 0-60, R75 0-75, E125 0-125"},
      {"a click", hush + Repeat(3, 1) + hush, ""},
      {"a click, and speech soon after", hush + Repeat(1, 1) + gap + talk + Repeat(1, 0),
       "B119 84-119, E167 84-167"},
      {"hysteresis", Repeat(10, 0.49F) + Repeat(1, 0.5F) + Repeat(20, 0.35F) + Repeat(40, 0.34F),
       "B14 0-14, P41 0-41, E56 0-41"},
      {"not a number", Repeat(50, std::numeric_limits<float>::quiet_NaN()), ""},
  };
  for (const Case& c : cases) EXPECT_EQ(Describe(ChangesOf(c.frames)), c.expected) << c.what;
}

TEST(Endpointer, TheLongestUtteranceIsCutInAPauseAndTheNextBeginsThere) {
  // 875 frames fit; the longest pause of the later half is 20 frames at 600.
  const auto seen = ChangesOf(Repeat(600, 1) + Repeat(20, 0) + Repeat(400, 1) + Repeat(30, 0));
  EXPECT_EQ(Describe(seen),
            "B4 0-4, P610 0-610, R621 0-621, E873 0-610, B873 610-873, P1030 610-1030, "
            "E1045 610-1030");
  EXPECT_FALSE(seen[3].change.forced);
}

TEST(Endpointer, WithoutAnyPauseItIsCutByForceAtTheQuietestFrame) {
  auto frames = Repeat(1200, 0.95F);
  frames[700] = 0.5F;
  const auto seen = ChangesOf(frames);
  EXPECT_EQ(Describe(seen), "B4 0-4, E873 0-701!, B873 701-873, E1200 701-1200");
}

TEST(Endpointer, AfterAForcedCutTheNextUtteranceRepeatsTheOverlap) {
  auto frames = Repeat(1200, 0.95F);
  frames[700] = 0.5F;
  const EndpointOptions options{.overlap = Milliseconds(1'600)};  // 50 frames
  EXPECT_EQ(Describe(ChangesOf(frames, options)),
            "B4 0-4, E873 0-701!, B873 651-873, E1200 651-1200");
  // A cut in a pause needs none.
  EXPECT_EQ(Describe(ChangesOf(Repeat(600, 1) + Repeat(20, 0) + Repeat(400, 1), options)),
            Describe(ChangesOf(Repeat(600, 1) + Repeat(20, 0) + Repeat(400, 1))));
}

TEST(Endpointer, EvidenceIsThatOfTheUtterance) {
  const auto seen = ChangesOf(Repeat(50, 0.8F) + Repeat(40, 0));
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[1].change.evidence.speech, Milliseconds(1600));
  EXPECT_FLOAT_EQ(seen[2].change.evidence.probability, 0.8F);
}

TEST(Endpointer, ALostMicrophoneEndsWhatIsOpenAfterAMinute) {
  Endpointer endpointer({});
  for (int i = 0; i < 50; ++i) static_cast<void>(endpointer.Push(1));
  EXPECT_TRUE(endpointer.Idle(Milliseconds(59'000)).empty());
  static_cast<void>(endpointer.Push(1));  // it came back
  EXPECT_TRUE(endpointer.Idle(Milliseconds(59'000)).empty());
  const auto ended = endpointer.Idle(Milliseconds(1000));
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].kind, SpeechChange::kEnd);
  EXPECT_EQ(ended[0].end, 51 * kFrame);
  EXPECT_FALSE(endpointer.open());
  EXPECT_TRUE(endpointer.Idle(Milliseconds(100'000)).empty());
  // The stream goes on, and what was sent is not sent again.
  std::vector<Seen> seen;
  for (int i = 52; i <= 60; ++i) Take(seen, i, endpointer.Push(1));
  EXPECT_EQ(Describe(seen), "B55 51-55");
}

TEST(Endpointer, CancelDropsWhatIsOpenAndGoesOn) {
  Endpointer endpointer({});
  std::vector<Seen> seen;
  for (int i = 1; i <= 50; ++i) Take(seen, i, endpointer.Push(1));
  endpointer.Cancel();
  EXPECT_FALSE(endpointer.open());
  for (int i = 51; i <= 100; ++i) Take(seen, i, endpointer.Push(0));
  for (int i = 101; i <= 110; ++i) Take(seen, i, endpointer.Push(1));
  EXPECT_EQ(Describe(seen), "B4 0-4, B104 84-104");
}

TEST(Endpointer, FinishBeginsAnotherStream) {
  Endpointer endpointer({});
  for (int i = 0; i < 50; ++i) static_cast<void>(endpointer.Push(1));
  ASSERT_EQ(endpointer.Finish().size(), 1U);
  EXPECT_TRUE(endpointer.Finish().empty());
  std::vector<Seen> seen;
  for (int i = 1; i <= 5; ++i) Take(seen, i, endpointer.Push(1));
  EXPECT_EQ(Describe(seen), "B4 0-4");
}

TEST(Endpointer, OptionsThatMakeNoSenseAreNamed) {
  EXPECT_TRUE(Check({}));
  struct Case {
    const char* name;
    EndpointOptions options;
  };
  const Case cases[] = {
      {"leave", {.enter = 0.3F}},
      {"leave", {.leave = 0}},
      {"leave", {.enter = std::numeric_limits<float>::quiet_NaN()}},
      {"longest", {.longest = Milliseconds(900)}},
      {"overlap", {.overlap = Milliseconds(7'001)}},
      {"pre_roll", {.pre_roll = Milliseconds(8000)}},
      {"pause", {.pause = Milliseconds(0)}},
      {"silence", {.pause = Milliseconds(780)}},
      {"silence", {.silence = Milliseconds(9000)}},
      {"min_speech", {.min_speech = Milliseconds(-1)}},
      {"inactivity", {.inactivity = Milliseconds(0)}},
  };
  for (const Case& c : cases) {
    const auto checked = Check(c.options);
    ASSERT_FALSE(checked) << c.name;
    EXPECT_TRUE(checked.error().what.starts_with(c.name)) << checked.error().what;
  }
}

// Whatever comes: the order of changes, coverage and lengths that the header promises, with speech
// by a definition written again here.
class EndpointerProperties : public testing::TestWithParam<unsigned> {};

TEST_P(EndpointerProperties, Hold) {
  std::mt19937 random(GetParam());
  const auto uniform = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  for (int round = 0; round < 60; ++round) {
    EndpointOptions options;
    options.longest = Milliseconds(static_cast<int>(uniform(4000, 30'000)));
    options.silence = Milliseconds(static_cast<int>(uniform(400, 1000)));
    options.pause = Milliseconds(static_cast<int>(uniform(32, 330)));
    options.pre_roll = Milliseconds(static_cast<int>(uniform(0, 1000)));
    options.min_speech = Milliseconds(static_cast<int>(uniform(0, 300)));
    ASSERT_TRUE(Check(options));
    const auto in_frames = [](Milliseconds time) { return (time.count() * 16 + 511) / 512; };

    const double mean_speech = std::exp(uniform(0, 8)), mean_silence = std::exp(uniform(0, 5));
    std::vector<float> frames;
    const auto size = static_cast<std::size_t>(uniform(0, 5000));
    for (bool on = false; frames.size() < size; on = !on) {
      const auto length = 1 + static_cast<std::size_t>(std::exponential_distribution<double>(
                                  1 / (on ? mean_speech : mean_silence))(random));
      for (std::size_t i = 0; i < length && frames.size() < size; ++i)
        frames.push_back(static_cast<float>(on ? uniform(0.3, 1) : uniform(0, 0.55)));
    }
    std::vector<bool> speech;
    for (const float frame : frames)
      speech.push_back(frame >= (!speech.empty() && speech.back() ? options.leave : options.enter));

    // Stretches: speech with less than `silence` between.
    std::vector<bool> wanted(frames.size());
    std::vector<std::size_t> stretch;
    const auto close = [&] {
      if (static_cast<std::int64_t>(stretch.size()) >= in_frames(options.min_speech))
        for (const std::size_t frame : stretch) wanted[frame] = true;
      stretch.clear();
    };
    const std::int64_t silence = in_frames(options.silence - Milliseconds(32));
    for (std::size_t i = 0; i < speech.size(); ++i) {
      if (!speech[i]) continue;
      if (!stretch.empty() && static_cast<std::int64_t>(i - stretch.back()) - 1 > silence) close();
      stretch.push_back(i);
    }
    close();

    std::vector<int> covered(frames.size());
    std::vector<Change> now;  // since the last kEnd
    std::int64_t last_end = 0;
    for (const Seen& seen : ChangesOf(frames, options)) {
      const Change& change = seen.change;
      now.push_back(change);
      ASSERT_EQ(change.begin, now.front().begin);
      ASSERT_EQ(now.size() == 1, change.kind == SpeechChange::kBegin);
      ASSERT_LE(change.end, seen.at * kFrame) << "the future";
      if (now.size() > 1) {
        const auto before = now[now.size() - 2].kind;
        ASSERT_EQ(change.kind == SpeechChange::kResume,
                  before == SpeechChange::kPause && change.kind != SpeechChange::kEnd);
        if (before == SpeechChange::kPause && change.kind == SpeechChange::kEnd) {
          ASSERT_EQ(change.end, now[now.size() - 2].end);
        }
      }
      if (change.kind != SpeechChange::kEnd) continue;
      ASSERT_LT(change.begin, change.end);
      ASSERT_GE(change.begin, last_end);
      ASSERT_LE(change.end - change.begin, options.longest.count() * 16);
      last_end = change.end;
      std::int64_t heard = 0;
      for (auto frame = change.begin / kFrame; frame < change.end / kFrame; ++frame) {
        ++covered[static_cast<std::size_t>(frame)];
        heard += speech[static_cast<std::size_t>(frame)] ? 1 : 0;
      }
      ASSERT_GE(heard, 1);
      ASSERT_EQ(change.evidence.speech, Milliseconds(heard * 32));
      now.clear();
    }
    ASSERT_TRUE(now.empty()) << "never ended";
    for (std::size_t frame = 0; frame < frames.size(); ++frame) {
      ASSERT_TRUE(wanted[frame] ? covered[frame] == 1 : covered[frame] <= 1) << frame;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, EndpointerProperties, testing::Range(1U, 9U));

}  // namespace
}  // namespace headroom::speech
