// Does it pay to decode several waiting utterances at once? The same clips one by one and in
// batches; prints a Markdown table.
//
//   bench_batches MODEL LANGUAGE WAV…      16 kHz, one channel, 16 bits
#include <filesystem>

#include "asr/client/worker.h"
#include "clip.h"

namespace headroom {
namespace {

using asr::Worker;
using evaluation::CpuOf;
using evaluation::Must;

constexpr Milliseconds kLong{900'000};
constexpr std::size_t kClips = 16;

struct Way {
  const char* name;
  int batch;
  bool whole_windows;
};

struct Cost {
  double cpu = 0, wall = 0;  // milliseconds
};

std::unique_ptr<Worker> Loaded(const std::string& model, const Way& way) {
  auto worker = Must(Worker::Spawn({}));
  Must(
      worker->Load({.path = model, .batch = way.batch, .whole_windows = way.whole_windows}, kLong));
  return worker;
}

Cost Decode(Worker& worker, const Way& way, const std::string& language,
            const std::vector<std::vector<float>>& clips) {
  speech::RecognitionOptions options;
  options.language = language;
  const double cpu = CpuOf(worker.pid());
  const MonoTime begin = SystemClock().Now();
  std::vector<std::span<const float>> together;
  for (std::size_t i = 0; i < kClips; ++i) {
    together.emplace_back(clips[i % clips.size()]);
    if (way.batch == 1) {
      Must(worker.Run(options, together.front(), kLong));
    } else if (together.size() == static_cast<std::size_t>(way.batch)) {
      Must(worker.RunBatch(options, together, kLong));
    } else {
      continue;
    }
    together.clear();
  }
  return {.cpu = CpuOf(worker.pid()) - cpu,
          .wall = std::chrono::duration<double, std::milli>(SystemClock().Now() - begin).count()};
}

int Main(int argc, char** argv) {
  if (argc < 4) return 2;
  std::vector<std::vector<float>> clips;
  for (int i = 3; i < argc; ++i) clips.push_back(evaluation::ReadWav(argv[i]));
  const std::string model = std::filesystem::absolute(argv[1]);
  fmt::print("| {} clips | processor | time |\n|---|---|---|\n", kClips);
  for (const Way& way :
       {Way{"one by one, fitted windows", 1, false}, Way{"one by one, whole windows", 1, true},
        Way{"two at once", 2, false}, Way{"four at once", 4, false}}) {
    const auto worker = Loaded(model, way);
    static_cast<void>(Decode(*worker, way, argv[2], clips));  // to warm up
    const Cost cost = Decode(*worker, way, argv[2], clips);
    fmt::print("| {} | {:.1f} s | {:.1f} s |\n", way.name, cost.cpu / 1000, cost.wall / 1000);
  }
  return 0;
}

}  // namespace
}  // namespace headroom

int main(int argc, char** argv) {
  return headroom::Main(argc, argv);
}
