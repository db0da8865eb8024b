// The tables of bench/results/windows.md and kernels.md: the same clips in Whisper's whole window
// and in short ones, by two workers taking turns; prints a Markdown table and every text that
// differs.
//
//   bench_windows MODEL LANGUAGE WAV…      16 kHz, one channel, 16 bits; each whole and cut
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "asr/client/worker.h"
#include "base/text.h"
#include "clip.h"

namespace headroom {
namespace {

using asr::RunResult;
using asr::Worker;
using evaluation::CpuOf;
using evaluation::Must;
using evaluation::ReadWav;

constexpr Milliseconds kLong{900'000};
constexpr int kThreads = 2;
constexpr std::size_t kSecond = 16'000;
constexpr std::array<std::size_t, 3> kCuts{2, 4, 7};  // seconds; in the middle of words, too

// Lower case, letters and digits of all languages, without punctuation.
std::vector<std::string> WordsOf(const std::string& text) {
  std::string plain;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || std::isalnum(byte) != 0 || c == '\'')
      plain += static_cast<char>(std::tolower(byte));
    else
      plain += ' ';
  }
  std::vector<std::string> words;
  for (std::string& word : Split(plain, ' '))
    if (!word.empty()) words.push_back(std::move(word));
  return words;
}

// Substitutions, insertions and deletions (Levenshtein).
std::size_t Changed(const std::vector<std::string>& from, const std::vector<std::string>& to) {
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

struct Cost {
  double encoded = 0, mel = 0, encode = 0, decode = 0, cpu = 0;  // seconds of audio; milliseconds
};

struct Row {
  int clips = 0;
  std::int64_t again = 0;
  std::size_t words = 0, changed = 0;
  Cost whole, fitted;
};

std::string Recognise(Worker& worker, const std::string& language, std::span<const float> samples,
                      Cost& cost, std::int64_t& again) {
  const asr::WorkerStats before = Must(worker.Stats(kLong));
  const double cpu = CpuOf(worker.pid());
  speech::RecognitionOptions options;
  options.language = language;
  const RunResult result = Must(worker.Run(options, samples, kLong));
  const asr::WorkerStats after = Must(worker.Stats(kLong));
  cost.cpu += CpuOf(worker.pid()) - cpu;
  cost.encoded += static_cast<double>((after.encoded - before.encoded).count()) / 1000;
  cost.mel += result.timings.mel_ms;
  cost.encode += result.timings.encode_ms;
  cost.decode += result.timings.decode_ms;
  again += after.widened - before.widened;
  std::string text;
  for (const auto& segment : result.transcript.segments) text += segment.text + " ";
  return text;
}

std::unique_ptr<Worker> Loaded(const std::string& model, bool whole) {
  auto worker = Must(Worker::Spawn({}));
  Must(worker->Load({.path = model, .threads = kThreads, .whole_windows = whole}, kLong));
  return worker;
}

int Main(int argc, char** argv) {
  if (argc < 4) return 2;
  const auto whole = Loaded(std::filesystem::absolute(argv[1]), true);
  const auto fitted = Loaded(std::filesystem::absolute(argv[1]), false);
  std::map<std::string, Row> rows;
  std::string differences;
  for (int i = 3; i < argc; ++i) {
    const std::vector<float> samples = ReadWav(argv[i]);
    std::vector<std::size_t> lengths;
    for (const std::size_t seconds : kCuts)
      if (seconds * kSecond < samples.size()) lengths.push_back(seconds * kSecond);
    lengths.push_back(samples.size());
    for (const std::size_t length : lengths) {
      const bool cut = length < samples.size();
      const std::string name =
          cut ? fmt::format("cut at {} s", length / kSecond)
              : fmt::format("whole, up to {:2} s", (length / kSecond / 5 + 1) * 5);
      Row& row = rows[name];
      const auto clip = std::span(samples).first(length);
      std::int64_t never = 0;
      const std::string one = Recognise(*whole, argv[2], clip, row.whole, never);
      const std::string other = Recognise(*fitted, argv[2], clip, row.fitted, row.again);
      const auto words = WordsOf(one);
      const std::size_t changed = Changed(words, WordsOf(other));
      ++row.clips;
      row.words += words.size();
      row.changed += changed;
      if (changed > 0)
        differences += fmt::format("{} {:.1f} s\n  whole:  {}\n  fitted: {}\n",
                                   std::filesystem::path(argv[i]).stem().string(),
                                   static_cast<double>(length) / kSecond, one, other);
    }
  }
  fmt::print(
      "| clips | | audio encoded | spectrogram | encoder | decoder | CPU | tried again | words "
      "changed |\n|---|---|---|---|---|---|---|---|---|\n");
  for (const auto& [name, row] : rows) {
    const auto pair = [&](double Cost::* what, const char* unit) {
      return fmt::format("{:.1f} → {:.1f} {}", row.whole.*what / row.clips,
                         row.fitted.*what / row.clips, unit);
    };
    fmt::print("| {} | {} | {} | {} | {} | {} | {} | {} | {} of {} |\n", name, row.clips,
               pair(&Cost::encoded, "s"), pair(&Cost::mel, "ms"), pair(&Cost::encode, "ms"),
               pair(&Cost::decode, "ms"), pair(&Cost::cpu, "ms"), row.again, row.changed,
               row.words);
  }
  fmt::print("\n{}", differences);
  return 0;
}

}  // namespace
}  // namespace headroom

int main(int argc, char** argv) {
  return headroom::Main(argc, argv);
}
