#include "audio/testing/media_fixture.h"

#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numbers>
#include <span>

#include "audio/format/format.h"
#include "base/file.h"

namespace headroom::audio {
namespace {

void AppendLittleEndian(std::string& to, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> (8 * i) & 0xFF);
}

int BytesOf(Pcm pcm) {
  switch (pcm) {
    case Pcm::kU8:
      return 1;
    case Pcm::kS16:
      return 2;
    case Pcm::kS24:
      return 3;
    case Pcm::kS32:
    case Pcm::kF32:
      return 4;
    case Pcm::kF64:
      return 8;
  }
  return 0;
}

void AppendSample(std::string& to, Pcm pcm, double value) {
  if (pcm == Pcm::kF64) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
  } else if (pcm == Pcm::kF32) {
    const auto narrow = static_cast<float>(value);
    to.append(reinterpret_cast<const char*>(&narrow), sizeof narrow);
  } else {
    const int bits = 8 * BytesOf(pcm);
    const double scale = std::ldexp(1.0, bits - 1);
    const auto whole = std::llround(std::clamp(value * scale, -scale, scale - 1));
    const std::int64_t zero = pcm == Pcm::kU8 ? 128 : 0;
    AppendLittleEndian(to, static_cast<std::uint64_t>(whole + zero), BytesOf(pcm));
  }
}

std::string Header(const WavShape& shape, std::size_t true_data_bytes) {
  const auto data_bytes = shape.data_bytes.value_or(static_cast<std::uint32_t>(true_data_bytes));
  const auto bytes = static_cast<std::uint64_t>(BytesOf(shape.pcm));
  const auto channels = static_cast<std::uint64_t>(shape.channels);
  const auto rate = static_cast<std::uint64_t>(shape.rate);
  const std::uint64_t tag = shape.pcm == Pcm::kF32 || shape.pcm == Pcm::kF64 ? 3 : 1;
  std::string format;
  AppendLittleEndian(format, shape.mask ? 0xFFFE : tag, 2);
  AppendLittleEndian(format, channels, 2);
  AppendLittleEndian(format, rate, 4);
  AppendLittleEndian(format, rate * channels * bytes, 4);
  AppendLittleEndian(format, channels * bytes, 2);
  AppendLittleEndian(format, 8 * bytes, 2);
  if (shape.mask) {
    AppendLittleEndian(format, 22, 2);
    AppendLittleEndian(format, 8 * bytes, 2);
    AppendLittleEndian(format, shape.mask, 4);
    AppendLittleEndian(format, tag, 2);
    format += std::string_view("\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71", 14);
  }
  std::string header = "RIFF";
  AppendLittleEndian(header, 20 + format.size() + std::uint64_t{data_bytes}, 4);
  header += "WAVEfmt ";
  AppendLittleEndian(header, format.size(), 4);
  header += format + "data";
  AppendLittleEndian(header, data_bytes, 4);
  return header;
}

std::span<const float> Inside(const std::vector<float>& samples) {
  constexpr std::size_t kEdge = 800;
  if (samples.size() <= 2 * kEdge) return samples;
  return std::span(samples).subspan(kEdge, samples.size() - 2 * kEdge);
}

}  // namespace

std::string Wav(const WavShape& shape, const std::vector<std::vector<double>>& channels) {
  std::string data;
  for (std::size_t i = 0; i < channels.at(0).size(); ++i) {
    for (const std::vector<double>& channel : channels) AppendSample(data, shape.pcm, channel[i]);
  }
  return Header(shape, data.size()) + data;
}

std::string Wav(const WavShape& shape, const std::vector<double>& all) {
  return Wav(shape, std::vector(static_cast<std::size_t>(shape.channels), all));
}

std::vector<double> Sine(double hertz, double level, int rate, double seconds) {
  std::vector<double> samples(static_cast<std::size_t>(std::llround(seconds * rate)));
  for (std::size_t i = 0; i < samples.size(); ++i)
    samples[i] = level * std::sin(2 * std::numbers::pi * hertz * static_cast<double>(i) / rate);
  return samples;
}

double LevelAt(double hertz, const std::vector<float>& samples) {
  const auto inside = Inside(samples);
  double sine = 0, cosine = 0;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    const double angle = 2 * std::numbers::pi * hertz * static_cast<double>(i) / kSampleRate;
    sine += inside[i] * std::sin(angle);
    cosine += inside[i] * std::cos(angle);
  }
  return 2 * std::hypot(sine, cosine) / static_cast<double>(inside.size());
}

double Rms(const std::vector<float>& samples) {
  const auto inside = Inside(samples);
  double sum = 0;
  for (const float sample : inside) sum += double{sample} * sample;
  return std::sqrt(sum / static_cast<double>(inside.size()));
}

void WriteBytes(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string ReadBytes(const std::string& path) {
  return ReadFile(path).value();
}

void Ffmpeg(std::vector<std::string> arguments) {
  std::vector<std::string> argv = {"ffmpeg", "-v", "error", "-nostdin", "-y"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  auto child = Child::Spawn({.argv = std::move(argv), .fds = {}, .environment = {}});
  ASSERT_TRUE(child) << child.error().what << " (package ffmpeg)";
  ASSERT_TRUE(child->Wait()->ok());
}

std::string MakeMedia(const TempFolder& folder, const std::string& kind) {
  const std::string wav = folder / "source.wav";
  const int rate = kind == "opus" || kind == "webm" ? 48000 : 44100;
  WriteBytes(wav, Wav({.rate = rate, .channels = 2}, Sine(1000, 0.5, rate, 3)));
  if (kind == "wav") return wav;
  const std::string path = folder / ("sine." + kind);
  std::vector<std::string> arguments = {"-i", wav};
  if (kind == "opus" || kind == "webm") arguments.insert(arguments.end(), {"-c:a", "libopus"});
  if (kind == "fast.m4a") arguments.insert(arguments.end(), {"-movflags", "+faststart"});
  arguments.push_back(path);
  Ffmpeg(std::move(arguments));
  return path;
}

std::string NameOfKind(const testing::TestParamInfo<const char*>& kind) {
  std::string name = kind.param;
  std::erase(name, '.');
  return name;
}

Result<Sound> Decode(const std::string& path) {
  TRY_ASSIGN(auto reader, MediaReader::Open(path, nullptr, std::chrono::seconds(20)));
  Sound sound;
  sound.duration = reader->duration();
  std::vector<float> buffer(50000);
  while (true) {
    TRY_ASSIGN(const std::size_t n, reader->Read(buffer));
    if (n == 0) break;
    sound.samples.insert(sound.samples.end(), buffer.begin(),
                         buffer.begin() + static_cast<std::ptrdiff_t>(n));
  }
  sound.report = reader->report();
  return sound;
}

std::int64_t ProcStatusKib(pid_t pid, std::string_view key) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with(key) && line[key.size()] == ':')
      return std::stoll(line.substr(key.size() + 1));
  }
  return 0;
}

}  // namespace headroom::audio
