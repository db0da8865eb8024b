// For conformers.py: a model in our worker hears a recording twice; prints the milliseconds of the
// second encoder and the MiB that the worker had resident at most.
//
//   bench_conformers MODEL WAV      16 kHz, one channel, 16 bits
#include <filesystem>

#include "asr/client/worker.h"
#include "clip.h"

int main(int argc, char** argv) {
  using namespace headroom;  // NOLINT(google-build-using-namespace)
  using evaluation::Must;
  if (argc != 3) return 2;
  constexpr Milliseconds kLong{900'000};
  const auto worker = Must(asr::Worker::Spawn({}));
  Must(worker->Load({.path = std::filesystem::absolute(argv[1]).native(), .threads = 2}, kLong));
  const std::vector<float> audio = evaluation::ReadWav(argv[2]);
  speech::RecognitionOptions options;
  options.language = "en";
  Must(worker->Run(options, audio, kLong));
  const asr::RunResult again = Must(worker->Run(options, audio, kLong));
  fmt::print("{} {}\n", again.timings.encode_ms, Must(worker->Stats(kLong)).peak_rss.n >> 20);
  return 0;
}
