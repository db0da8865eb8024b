// The tables of bench/results/memory.md.
//
//   bench_memory exact FILE…        bytes planned and bytes allocated, three kinds of card
//   bench_memory host FILE…         bytes planned on the CPU and the worker's real RSS
//   bench_memory load FILE…         a cold load, and a load again
//   bench_memory isolation FILE     a worker process against the engine in this process
//   bench_memory governor           steps a second
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "asr/client/worker.h"
#include "asr/worker/engine.h"
#include "asr/worker/placement.h"
#include "jfk.h"
#include "memory/governor.h"
#include "memory/testing/governor_fixture.h"

namespace headroom {
namespace {

using asr::Worker;
namespace fs = std::filesystem;

constexpr Milliseconds kLong{900'000};
// ggml's threads wait for each other by spinning: two are slow on a busy machine.
constexpr int kThreads = 1;
const std::vector<Milliseconds> kLengths{Milliseconds(3000), Milliseconds(11'000),
                                         Milliseconds(30'000)};

// As tests use them; --record-profile of a worker writes the real one of a card.
struct Profile {
  const char* name;
  const char* text;
};
constexpr Profile kProfiles[] = {
    {"plain", ""},
    {"CUDA-like", R"({"registry": "CUDA", "name": "CUDA0", "alignment": 128,
                      "size_rule": "cuda_rows"})"},
    {"Vulkan-like", R"({"registry": "Vulkan", "name": "Vulkan0", "alignment": 64,
                        "largest_buffer": 33554432, "granularity": 4096,
                        "unsupported": ["IM2COL", "GET_ROWS:q8_0"]})"}};

[[noreturn]] void Die(const Error& error) {
  fmt::print(stderr, "bench_memory: {}\n", error.what);
  std::exit(1);
}
template <class T>
T Must(Result<T> result) {
  if (!result) Die(result.error());
  return std::move(*result);
}

double Seconds(MonoTime begin) {
  return std::chrono::duration<double>(SystemClock().Now() - begin).count();
}
double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}
double Mebi(Bytes bytes) {
  return static_cast<double>(bytes.n) / (1 << 20);
}

std::unique_ptr<Worker> Spawn(const char* program) {
  return Must(Worker::Spawn({.program = program}));
}

asr::PlanResult Plan(const std::string& path, asr::GpuOptions gpu, bool cpu = false) {
  asr::PlanRequest request{
      .path = path, .threads = kThreads, .chunks = kLengths, .batch = 1, .cpu = cpu};
  request.gpu = std::move(gpu);
  request.gpu.capacity = GiB(64);
  return Must(Spawn("headroom-worker-sim")->Plan(request, kLong));
}

int Exact(const std::vector<std::string>& files) {
  fmt::print(
      "| model | card | weights | audio | planned peak | allocated | |\n"
      "|---|---|---|---|---|---|---|\n");
  int wrong = 0;
  for (const std::string& file : files) {
    for (const Profile& profile : kProfiles) {
      const auto planned = Plan(file, {.counting = true, .profile = profile.text});
      const auto held = Plan(file, {.counting = false, .profile = profile.text});
      for (std::size_t i = 0; i < kLengths.size(); ++i) {
        const asr::PlanChunk &plan = planned.chunks[i], &real = held.chunks[i];
        const bool same = planned.weights == held.weights && plan.kv == real.kv &&
                          plan.workspace == real.workspace && plan.peak == real.peak;
        wrong += same ? 0 : 1;
        fmt::print("| {} | {} | {} | {} s | {} | {} | {} |\n", fs::path(file).stem().native(),
                   profile.name, held.weights.n, kLengths[i].count() / 1000, plan.peak.n,
                   real.peak.n, same ? "equal" : "**differs**");
      }
      std::fflush(stdout);
    }
  }
  return wrong == 0 ? 0 : 1;
}

int Host(const std::vector<std::string>& files) {
  constexpr Bytes kProcess = MiB(32);  // as plans allow for it
  fmt::print(
      "| model | audio | engine's buffers, planned | with the process | worker's peak RSS |\n"
      "|---|---|---|---|---|\n");
  int wrong = 0;
  for (const std::string& file : files) {
    const auto plan = Plan(file, {.counting = true}, true);
    for (std::size_t i = 0; i < kLengths.size(); ++i) {
      auto worker = Spawn("headroom-worker-cpu");
      Must(worker->Load({.path = file, .threads = kThreads, .chunks = {kLengths[i]}}, kLong));
      const std::vector<float> audio = asr::Speech(kLengths[i]);
      Must(worker->Run({.language = "en", .vocabulary = {}, .prompt = {}}, audio, kLong));
      const Bytes rss = Must(worker->Stats(kLong)).peak_rss;
      const Bytes planned = plan.chunks[i].peak + plan.host + plan.cpu_copies;
      wrong += rss > planned + kProcess ? 1 : 0;
      fmt::print("| {} | {} s | {:.1f} MiB | {:.1f} MiB | {:.1f} MiB |\n",
                 fs::path(file).stem().native(), kLengths[i].count() / 1000, Mebi(planned),
                 Mebi(planned + kProcess), Mebi(rss));
      std::fflush(stdout);
    }
  }
  return wrong == 0 ? 0 : 1;
}

// The file leaves the page cache, so that it is read from the disk.
void Forget(const std::string& file) {
  const Fd fd = Must(Open(file, O_RDONLY));
  ::fdatasync(fd.get());
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
}

// One worker's life: how long each part of it took.
struct Life {
  std::vector<double> spawn, load, first, next, end;

  void Live(const char* program, const std::string& file, const std::vector<Milliseconds>& chunks,
            std::span<const float> audio) {
    MonoTime begin = SystemClock().Now();
    const auto since = [&begin] {
      const double seconds = Seconds(begin);
      begin = SystemClock().Now();
      return seconds;
    };
    auto worker = Spawn(program);
    spawn.push_back(since());
    Must(worker->Load({.path = file, .threads = kThreads, .chunks = chunks}, kLong));
    load.push_back(since());
    for (std::vector<double>* times : {&first, &next}) {
      Must(worker->Run({.language = "en", .vocabulary = {}, .prompt = {}}, audio, kLong));
      times->push_back(since());
    }
    Must(worker->Stop(kLong));
    end.push_back(since());
  }
};

int Load(const std::vector<std::string>& files) {
  constexpr int kTimes = 3;
  // Warming up costs what the card computes in, and the simulated one is this machine's CPU: once.
  struct Way {
    const char* program;
    const char* what;
    std::vector<Milliseconds> chunks;
    bool cold;
    int times;
  };
  const Way ways[] = {
      {"headroom-worker-cpu", "cold", kLengths, true, kTimes},
      {"headroom-worker-cpu", "again", kLengths, false, kTimes},
      {"headroom-worker-sim", "cold, not warmed up", {}, true, kTimes},
      {"headroom-worker-sim", "again, not warmed up", {}, false, kTimes},
      {"headroom-worker-sim", "again, warmed up for 30 s", {kLengths.back()}, false, 1},
  };
  const std::vector<float> audio = asr::Jfk();
  fmt::print(
      "| model | worker | | process | load | first run (11 s) | next run | end |\n"
      "|---|---|---|---|---|---|---|---|\n");
  for (const std::string& file : files) {
    for (const Way& way : ways) {
      Life life;
      for (int i = 0; i < way.times; ++i) {
        if (way.cold) Forget(file);
        life.Live(way.program, file, way.chunks, audio);
      }
      fmt::print("| {} | {} | {} | {:.3f} s | {:.2f} s | {:.2f} s | {:.2f} s | {:.3f} s |\n",
                 fs::path(file).stem().native(), way.program, way.what, Median(life.spawn),
                 Median(life.load), Median(life.first), Median(life.next), Median(life.end));
      std::fflush(stdout);
    }
  }
  return 0;
}

int Isolation(const std::string& file) {
  constexpr int kTimes = 9;
  const std::vector<float> audio = asr::Jfk();
  const speech::RecognitionOptions options{.language = "en", .vocabulary = {}, .prompt = {}};
  auto outside = Spawn("headroom-worker-cpu");
  Must(outside->Load({.path = file, .threads = kThreads}, kLong));
  const auto inside = worker::MakeTranscribeEngine(worker::MakeCpuPlacement());
  Must(inside->Load({.path = file, .threads = kThreads}));
  std::vector<double> in, out;
  for (int i = 0; i <= kTimes; ++i) {
    MonoTime begin = SystemClock().Now();
    Must(outside->Run(options, audio, kLong));
    const double other = Seconds(begin);
    begin = SystemClock().Now();
    Must(inside->Run(options, audio));
    if (i == 0) continue;  // both are warm from here
    out.push_back(other);
    in.push_back(Seconds(begin));
  }
  // What passes between the processes, without any recognising.
  std::vector<double> asked;
  for (int i = 0; i < 1000; ++i) {
    const MonoTime begin = SystemClock().Now();
    Must(outside->Stats(kLong));
    asked.push_back(Seconds(begin));
  }
  fmt::print(
      "| {}, 11 s of audio | median | least |\n|---|---|---|\n"
      "| in a worker process | {:.3f} s | {:.3f} s |\n"
      "| in this process | {:.3f} s | {:.3f} s |\n"
      "| a question and its answer alone | {:.0f} us | {:.0f} us |\n",
      fs::path(file).stem().native(), Median(out), std::ranges::min(out), Median(in),
      std::ranges::min(in), Median(asked) * 1e6, std::ranges::min(asked) * 1e6);
  return 0;
}

int Governor() {
  constexpr int kSteps = 1'000'000;
  memory::Night night;
  night.Pass(std::chrono::seconds(60));
  memory::State quiet = night.state;
  MonoTime now = night.now;
  MonoTime begin = SystemClock().Now();
  for (int i = 0; i < kSteps; ++i) {
    now += Milliseconds(100);
    quiet = memory::Step(night.policy, quiet, night.sample, now).state;
  }
  const double calm = kSteps / Seconds(begin);
  begin = SystemClock().Now();
  std::int64_t actions = 0;
  for (int i = 0; i < kSteps / 10; ++i) {
    night.others = MiB(i % 50 * 80);  // a neighbour that never rests
    actions += static_cast<std::int64_t>(night.Step().size());
  }
  const double busy = kSteps / 10 / Seconds(begin);
  fmt::print(
      "| governor | steps a second |\n|---|---|\n"
      "| quiet | {:.0f} |\n| a neighbour that moves in every step ({} actions) | {:.0f} |\n",
      calm, actions, busy);
  return 0;
}

int Main(const std::vector<std::string>& words) {
  const std::string what = words.empty() ? "" : words[0];
  const std::vector<std::string> files(words.begin() + (words.empty() ? 0 : 1), words.end());
  if (what == "exact" && !files.empty()) return Exact(files);
  if (what == "host" && !files.empty()) return Host(files);
  if (what == "load" && !files.empty()) return Load(files);
  if (what == "isolation" && files.size() == 1) return Isolation(files[0]);
  if (what == "governor" && files.empty()) return Governor();
  fmt::print(stderr, "bench_memory exact|host|load FILE… | isolation FILE | governor\n");
  return 2;
}

}  // namespace
}  // namespace headroom

int main(int argc, char** argv) {
  return headroom::Main({argv + 1, argv + argc});
}
