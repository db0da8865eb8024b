// The real model on real speech. HEADROOM_TEST_VAD is the path of the model; ./test sets it.
#include "speech/vad/vad.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "audio/format/format.h"
#include "base/dirs.h"
#include "speech/text/hallucination.h"
#include "speech/vad/chunked_audio.h"
#include "speech/vad/listener.h"

namespace headroom::speech {
namespace {

constexpr char kSpeech[] = "/usr/share/pocketsphinx/test/data/librivox/";
constexpr const char* kSentences[] = {"0870", "0880", "0890", "0920", "0930"};

// A canonical WAV file: 44 bytes of header, then 16-bit samples.
std::vector<float> ReadWav(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path << ": install pocketsphinx-testdata";
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<float> samples;
  for (std::size_t i = 44; i + 1 < bytes.size(); i += 2) {
    const int low = static_cast<unsigned char>(bytes[i]);
    samples.push_back(static_cast<float>(static_cast<signed char>(bytes[i + 1]) * 256 + low) /
                      32768.0F);
  }
  return samples;
}

std::vector<float> Sentence(const char* number) {
  return ReadWav(fmt::format("{}sense_and_sensibility_01_austen_64kb-{}.wav", kSpeech, number));
}

double Level(std::span<const float> samples) {  // dB of full scale
  double sum = 1e-12;
  for (const float sample : samples)
    sum += static_cast<double>(sample) * static_cast<double>(sample);
  return 10 * std::log10(sum / static_cast<double>(samples.size()));
}

class Vad : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = Environment("HEADROOM_TEST_VAD");
    if (path.empty()) GTEST_SKIP() << "HEADROOM_TEST_VAD is not set; ./test sets it";
    auto loaded = VoiceDetector::Load(path);
    ASSERT_TRUE(loaded) << loaded.error().what;
    vad_ = *std::move(loaded);
  }

  std::vector<Chunk> ChunksOf(std::span<const float> recording,
                              const ChunkerOptions& options = {}) {
    ChunkedAudio audio(*vad_, options);
    std::vector<Chunk> chunks;
    const auto take = [&] {
      while (auto chunk = audio.Next()) chunks.push_back(*std::move(chunk));
    };
    for (; !recording.empty(); take()) {
      const auto piece = recording.first(std::min<std::size_t>(16'000, recording.size()));
      EXPECT_TRUE(audio.Feed(piece));
      recording = recording.subspan(piece.size());
    }
    EXPECT_TRUE(audio.Finish());
    take();
    return chunks;
  }

  std::vector<float> ProbabilitiesOf(std::span<const float> recording, std::size_t block) {
    std::vector<float> all;
    const auto add = [&](const Result<std::span<const float>>& some) {
      EXPECT_TRUE(some);
      all.insert(all.end(), some->begin(), some->end());
    };
    for (; !recording.empty(); recording = recording.subspan(std::min(block, recording.size())))
      add(vad_->Feed(recording.first(std::min(block, recording.size()))));
    add(vad_->Flush());
    return all;
  }

  std::unique_ptr<VoiceDetector> vad_;
};

TEST(VadLoad, SaysWhatIsWrongWithAFile) {
  auto missing = VoiceDetector::Load("/nowhere/vad.gguf");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kNotFound) << missing.error().what;
  EXPECT_NE(missing.error().what.find("/nowhere/vad.gguf"), std::string::npos);
  auto nonsense = VoiceDetector::Load(kSpeech + std::string("transcription"));
  ASSERT_FALSE(nonsense);
  EXPECT_EQ(nonsense.error().what.find('\n'), std::string::npos) << nonsense.error().what;
}

TEST_F(Vad, ProbabilitiesDoNotDependOnTheBlocks) {
  const auto speech = Sentence("0880");
  const auto whole = ProbabilitiesOf(speech, speech.size());
  EXPECT_EQ(whole.size(), (speech.size() + 511) / 512);
  EXPECT_EQ(whole, ProbabilitiesOf(speech, 320));
  EXPECT_EQ(whole, ProbabilitiesOf(speech, 1000));
  ASSERT_TRUE(vad_->Feed(Sentence("0930")));
  vad_->Reset();
  EXPECT_EQ(whole, ProbabilitiesOf(speech, 512));
}

TEST_F(Vad, RefusesWhatIsNotFiniteAndGoesOn) {
  const float nan = std::nanf("");
  const auto refused = vad_->Feed(std::span(&nan, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalid);
  EXPECT_TRUE(vad_->Feed(std::vector<float>(512)));
}

TEST_F(Vad, SilenceAndNoiseGiveNoChunk) {
  std::vector<float> recording(60 * 16'000);
  EXPECT_TRUE(ChunksOf(recording).empty());
  std::mt19937 random(1);
  std::normal_distribution<float> noise(0, std::pow(10.0F, -50.0F / 20));
  for (float& sample : recording) sample = noise(random);
  EXPECT_NEAR(Level(recording), -50, 0.5);
  EXPECT_TRUE(ChunksOf(recording).empty());
}

// Five sentences with silences between: where each begins and ends.
struct Reading {
  std::vector<float> samples;
  std::vector<std::pair<std::int64_t, std::int64_t>> sentences;
};

Reading FiveSentences(std::size_t silence) {
  Reading reading;
  for (const char* number : kSentences) {
    reading.samples.resize(reading.samples.size() + silence);
    const auto sentence = Sentence(number);
    const auto begin = static_cast<std::int64_t>(reading.samples.size());
    reading.samples.insert(reading.samples.end(), sentence.begin(), sentence.end());
    reading.sentences.emplace_back(begin, static_cast<std::int64_t>(reading.samples.size()));
  }
  reading.samples.resize(reading.samples.size() + silence);
  return reading;
}

TEST_F(Vad, FindsFiveSentences) {
  const Reading reading = FiveSentences(24'000);  // 1.5 s
  ChunkerOptions options;
  options.max_pause = Milliseconds(1000);
  const auto chunks = ChunksOf(reading.samples, options);
  ASSERT_EQ(chunks.size(), 5U);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const auto [begin, end] = reading.sentences[i];
    EXPECT_GE(chunks[i].start_sample, begin - 6400);
    EXPECT_LE(chunks[i].start_sample, begin + 6400);
    const auto chunk_end =
        chunks[i].start_sample + static_cast<std::int64_t>(chunks[i].samples.size());
    EXPECT_GE(chunk_end, end - 6400);
    EXPECT_LE(chunk_end, end + 6400);
    EXPECT_GT(chunks[i].evidence.probability, 0.85F);
  }
  // With the pauses of everyday speech they are grouped.
  EXPECT_EQ(ChunksOf(reading.samples).size(), 2U);
}

TEST_F(Vad, CutsLieWhereItIsQuiet) {
  const Reading reading = FiveSentences(24'000);
  ChunkerOptions options;
  options.max_chunk = Milliseconds(10'000);
  const auto chunks = ChunksOf(reading.samples, options);
  ASSERT_GE(chunks.size(), 3U);
  const double speech = Level(Sentence("0870"));
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    EXPECT_FALSE(chunks[i].forced);
    EXPECT_LE(chunks[i].samples.size(), 160'000U);
    for (const std::int64_t cut :
         {chunks[i].start_sample,
          chunks[i].start_sample + static_cast<std::int64_t>(chunks[i].samples.size())}) {
      const auto from = static_cast<std::size_t>(std::max<std::int64_t>(0, cut - 400));
      const auto around = std::span(reading.samples).subspan(from, 800);
      EXPECT_LT(Level(around), speech - 15) << "chunk " << i << " at " << cut / 16 << " ms";
    }
  }
}

struct Live {
  std::vector<Change> ends;
  std::vector<std::int64_t> heard;  // samples fed when each came
  int pauses = 0, resumes = 0;
};

Live Listen(SpeechProbability& detector, std::span<const float> recording) {
  Listener listener(detector, {});
  Live live;
  const auto take = [&](std::span<const Change> changes) {
    for (const Change& change : changes) {
      live.pauses += change.kind == SpeechChange::kPause ? 1 : 0;
      live.resumes += change.kind == SpeechChange::kResume ? 1 : 0;
      if (change.kind != SpeechChange::kEnd) continue;
      live.ends.push_back(change);
      live.heard.push_back(listener.heard());
      EXPECT_EQ(static_cast<std::int64_t>(listener.Audio(change.begin, change.end)->size()),
                change.end - change.begin);
    }
  };
  while (!recording.empty()) {
    const auto some = recording.first(std::min<std::size_t>(320, recording.size()));
    recording = recording.subspan(some.size());
    const auto changes = listener.Feed(audio::FiniteSpan::OfFinite(some));
    EXPECT_TRUE(changes);
    take(*changes);
  }
  take(listener.Finish());
  return live;
}

TEST_F(Vad, LiveSentencesBeginAndEndWhereTheyAreSpoken) {
  const Reading reading = FiveSentences(24'000);
  const Live live = Listen(*vad_, reading.samples);
  ASSERT_EQ(live.ends.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    const Change& heard = live.ends[i];
    const auto [begin, end] = reading.sentences[i];
    EXPECT_LE(heard.begin, begin);
    EXPECT_GE(heard.begin, begin - 16'000) << "pre-roll and no more";
    EXPECT_GE(heard.end, end - 1600);
    EXPECT_LE(heard.end, end + 8000);
    EXPECT_FALSE(IsWeak(heard.evidence));
    // 320 ms of the silence belong to it; the other 480 it waits, and for the block of 20 ms.
    EXPECT_LE(live.heard[i] - heard.end, audio::SamplesIn(Milliseconds(480 + 20)));
  }
  EXPECT_EQ(live.pauses, 5 + live.resumes);
}

TEST_F(Vad, LiveClipsHaveAsManyUtterancesAsPausesSay) {
  // Each clip of playing cards is one breath; the last one names three cards.
  for (const char* number : {"001", "002", "003", "004", "005"}) {
    auto clip = ReadWav(fmt::format("/usr/share/pocketsphinx/test/data/cards/{}.wav", number));
    clip.insert(clip.begin(), 8000, 0.0F);
    clip.resize(clip.size() + 16'000);
    EXPECT_EQ(Listen(*vad_, clip).ends.size(), 1U) << number;
  }
  const std::string engine = Environment("HEADROOM_TEST_ENGINE");
  if (engine.empty()) GTEST_SKIP() << "HEADROOM_TEST_ENGINE is not set; ./test sets it";
  // "And so, my fellow Americans: | ask not | what your country …" with silence of a second
  // between.
  EXPECT_EQ(Listen(*vad_, ReadWav(engine + "/samples/jfk.wav")).ends.size(), 3U);
}

// What espeak-ng says, at 16 kHz, with silence before and after.
std::vector<float> Spoken(const std::string& text) {
  const std::string path = testing::TempDir() + "spoken.wav";  // 22,050 Hz, 16 bit
  EXPECT_EQ(std::system(fmt::format("espeak-ng -w '{}' '{}'", path, text).c_str()), 0);
  const auto spoken = ReadWav(path);
  std::filesystem::remove(path);
  std::vector<float> samples(16'000);
  for (double at = 0; at + 1 < static_cast<double>(spoken.size()); at += 22'050.0 / 16'000) {
    const auto i = static_cast<std::size_t>(at);
    const auto part = static_cast<float>(at - std::floor(at));
    samples.push_back(spoken[i] * (1 - part) + spoken[i + 1] * part);
  }
  samples.resize(samples.size() + 16'000);
  return samples;
}

TEST_F(Vad, ShortWordsAreFoundAndNotTakenForHallucinations) {
  for (const char* text : {"Thank you.", "Bye.", "You", "Yes.", "No."}) {
    const auto chunks = ChunksOf(Spoken(text));
    ASSERT_EQ(chunks.size(), 1U) << text;
    EXPECT_FALSE(IsHallucination(text, "en", chunks[0].evidence))
        << text << ": " << chunks[0].evidence.speech.count() << " ms at "
        << chunks[0].evidence.probability;
  }
}

}  // namespace
}  // namespace headroom::speech
