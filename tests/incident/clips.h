// Real speech for the incident: the engine's sample and the clips of Debian's
// pocketsphinx-testdata.
#pragma once

#include <cstring>
#include <filesystem>
#include <string>

#include "asr/scheduler/utterance.h"
#include "jfk.h"

namespace headroom::asr {

struct SpokenClip {
  std::string name;
  audio::FiniteAudio samples;
  std::string word;  // that whisper-tiny.en hears in it
};

/// 16-bit mono at 16 kHz, as all of them are.
inline std::vector<float> ReadWav(const std::filesystem::path& path) {
  const std::string bytes = ReadFile(path).value();
  const std::size_t data = bytes.find("data") + 8;
  std::vector<float> samples((bytes.size() - data) / 2);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    std::int16_t value = 0;
    std::memcpy(&value, bytes.data() + data + 2 * i, 2);
    samples[i] = static_cast<float>(value) / 32768.0F;
  }
  return samples;
}

inline std::vector<SpokenClip> Clips() {
  const std::filesystem::path folder = "/usr/share/pocketsphinx/test/data";
  std::vector<SpokenClip> clips;
  const auto add = [&](std::string name, std::vector<float> samples, std::string word) {
    clips.push_back({std::move(name), audio::FiniteAudio(std::move(samples)), std::move(word)});
  };
  add("jfk", Jfk(), "country");
  const std::string book = "librivox/sense_and_sensibility_01_austen_64kb-0";
  add("0870", ReadWav(folder / (book + "870.wav")), "");
  add("0880", ReadWav(folder / (book + "880.wav")), "");
  add("0890", ReadWav(folder / (book + "890.wav")), "");
  add("0920", ReadWav(folder / (book + "920.wav")), "");
  add("0930", ReadWav(folder / (book + "930.wav")), "");
  add("cards 5", ReadWav(folder / "cards/005.wav"), "");
  return clips;
}

inline Milliseconds LengthOf(const audio::FiniteAudio& samples) {
  return samples.duration();
}

}  // namespace headroom::asr
