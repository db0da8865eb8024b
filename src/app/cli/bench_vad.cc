// headroom bench vad: runs the detector over whole audio files at full speed in this process.
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "app/cli/bench.h"
#include "app/cli/terminal.h"
#include "base/clock.h"
#include "base/file.h"
#include "models/store/store.h"
#include "speech/vad/vad.h"

namespace headroom::cli {
namespace {

constexpr Milliseconds kLongest{10 * 60 * 1000};
constexpr float kSpeech = 0.5F;  // where the endpointer's speech begins
constexpr double kHour = 3600;

// How audio comes: whole, as a decoder reads it, and as a microphone gives it.
constexpr std::array<std::size_t, 3> kPieces = {1 << 20, 4096, 512};

struct Figures {
  double audio = 0, wall = 0, cpu = 0;  // seconds
  std::size_t frames = 0, speech = 0;
  std::size_t differing = 0;  // frames that are speech in one way of coming and not in another
};

double CpuSeconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

// This process's current resident set.
Result<Bytes> Resident() {
  TRY_ASSIGN(const std::string text, ReadFile("/proc/self/statm", KiB(4)));
  const std::size_t space = text.find(' ');
  return Bytes(std::stoll(text.substr(space + 1)) * ::sysconf(_SC_PAGESIZE));
}

Result<std::vector<float>> Detect(speech::VoiceDetector& detector, std::span<const float> samples,
                                  std::size_t piece) {
  std::vector<float> all;
  detector.Reset();
  for (std::size_t at = 0; at < samples.size(); at += piece) {
    TRY_ASSIGN(const auto some,
               detector.Feed(samples.subspan(at, std::min(piece, samples.size() - at))));
    all.insert(all.end(), some.begin(), some.end());
  }
  TRY_ASSIGN(const auto rest, detector.Flush());
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

Result<Figures> Measure(speech::VoiceDetector& detector, std::span<const float> samples) {
  Figures figures;
  std::vector<std::vector<float>> ways;
  for (const std::size_t piece : kPieces) {
    const MonoTime began = SystemClock().Now();
    const double before = CpuSeconds();
    TRY_ASSIGN(ways.emplace_back(), Detect(detector, samples, piece));
    // The last piece size is the one that the service uses; its times are reported.
    figures.cpu = CpuSeconds() - before;
    figures.wall = std::chrono::duration<double>(SystemClock().Now() - began).count();
  }
  figures.audio = static_cast<double>(samples.size()) / audio::kSampleRate;
  figures.frames = ways.back().size();
  for (std::size_t i = 0; i < figures.frames; ++i) {
    const bool speech = ways.back()[i] >= kSpeech;
    figures.speech += speech ? 1 : 0;
    const bool same = std::ranges::all_of(ways, [&](const std::vector<float>& way) {
      return i < way.size() && (way[i] >= kSpeech) == speech;
    });
    figures.differing += same ? 0 : 1;
  }
  return figures;
}

}  // namespace

Result<std::vector<float>> ReadSound(const std::string& path, Milliseconds longest) {
  TRY_ASSIGN(const auto media, audio::MediaReader::Open(path, &InterruptToken()));
  const auto most = static_cast<std::size_t>(longest.count()) * audio::kSampleRate / 1000;
  std::vector<float> samples, some(audio::kSampleRate);
  while (true) {
    TRY_ASSIGN(const std::size_t n, media->Read(some));
    if (n == 0) return samples;
    samples.insert(samples.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(n));
    if (samples.size() > most)
      return Fail(Errc::kInvalid, "{}: longer than {} s", path, longest.count() / 1000);
  }
}

Result<int> BenchVad(const BenchVadOptions& options) {
  TRY_ASSIGN(const std::filesystem::path path, models::ResolveVad());
  std::vector<float> samples;
  for (const std::string& file : options.files) {
    TRY_ASSIGN(const std::vector<float> some, ReadSound(file, kLongest));
    samples.insert(samples.end(), some.begin(), some.end());
  }
  if (samples.empty()) return Fail(Errc::kInvalid, "no audio in these files");
  TRY_ASSIGN(const Bytes before, Resident());
  TRY_ASSIGN(const auto detector, speech::VoiceDetector::Load(path));
  TRY_ASSIGN(const Figures figures, Measure(*detector, samples));
  TRY_ASSIGN(const Bytes after, Resident());
  const Bytes memory = std::max(after - before, Bytes(0));
  const double rate = figures.wall / figures.audio;
  const double frame_ms = 1000 * figures.wall / static_cast<double>(figures.frames);
  const double percent_speech =
      100 * static_cast<double>(figures.speech) / static_cast<double>(figures.frames);
  if (options.json) {
    const nlohmann::json value = {
        {"detector", path.stem().string()},
        {"audio_seconds", figures.audio},
        {"seconds_per_second", rate},
        {"frame_ms", frame_ms},
        {"processor_seconds_an_hour", kHour * figures.cpu / figures.audio},
        {"memory_bytes", memory.n},
        {"frames", figures.frames},
        {"speech_frames", figures.speech},
        {"differing_frames", figures.differing}};
    fmt::print("{}\n", value.dump(2));
    return kOk;
  }
  fmt::print(
      "{}\n  audio            {:.1f} s, {:.0f} % of frames are speech\n"
      "  frame (32 ms)    {:.3f} ms, {:.0f} times faster than real time\n"
      "  CPU              {:.1f} s per hour of listening, {:.2f} % of one core\n"
      "  memory           {:.1f} MiB\n"
      "  agreement        {} of {} frames differ between one piece, pieces of 256 ms and pieces of "
      "32 ms\n",
      path.stem().string(), figures.audio, percent_speech, frame_ms, 1 / rate,
      kHour * figures.cpu / figures.audio, 100 * figures.cpu / figures.audio,
      static_cast<double>(memory.n) / (1 << 20), figures.differing, figures.frames);
  return kOk;
}

}  // namespace headroom::cli
