// For tests: media files made on the spot, and ways to look at what came out of them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audio/decode/media_reader.h"
#include "base/testing/temp_folder.h"

namespace headroom::audio {

enum class Pcm { kU8, kS16, kS24, kS32, kF32, kF64 };

struct WavShape {
  int rate = 16000;
  int channels = 1;
  Pcm pcm = Pcm::kS16;
  std::uint32_t mask = 0;  // of speakers; 0: a plain header without one
  std::optional<std::uint32_t> data_bytes =
      std::nullopt;  // what the header claims, if not the truth
};

/// `channels[c][i]`, full scale +-1. All channels are equally long.
std::string Wav(const WavShape& shape, const std::vector<std::vector<double>>& channels);
/// The same in every channel.
std::string Wav(const WavShape& shape, const std::vector<double>& all);

std::vector<double> Sine(double hertz, double level, int rate, double seconds);
/// Amplitude of `hertz` in 16 kHz sound, its first and last 50 ms left out.
double LevelAt(double hertz, const std::vector<float>& samples);
/// Root mean square, same stretch.
double Rms(const std::vector<float>& samples);

void WriteBytes(const std::string& path, std::string_view bytes);
std::string ReadBytes(const std::string& path);
/// Runs ffmpeg (the program) and expects it to work.
void Ffmpeg(std::vector<std::string> arguments);
/// Three seconds of a 1 kHz sine of level 0.5 as `kind`: mp3, flac, ogg, opus, m4a, fast.m4a, webm,
/// wav.
std::string MakeMedia(const TempFolder& folder, const std::string& kind);
/// For INSTANTIATE_TEST_SUITE_P over kinds.
std::string NameOfKind(const testing::TestParamInfo<const char*>& kind);

struct Sound {
  std::vector<float> samples;
  std::optional<Milliseconds> duration;
  MediaReport report;
};
/// The whole of a file; the decoder may be silent for 20 s.
Result<Sound> Decode(const std::string& path);

/// "VmHWM" or another kB line of /proc/PID/status, in KiB; 0 when it is not there.
std::int64_t ProcStatusKib(pid_t pid, std::string_view key);

}  // namespace headroom::audio
