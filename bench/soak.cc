// Continuous speech through the scheduler and a real worker on the simulated card, for as long as
// asked: does anything grow?
//
//   bench_soak SECONDS MODEL.gguf [hurry] [leak]
//
// One utterance after the other, as they are spoken; with `hurry` the next begins when the one
// before has its text, so that the worker never rests. With each text: RSS of this process, which
// holds what the daemon holds of the engine; RSS of the worker; memory of the card. growth.h judges
// them. Before that the longest utterances, so that what is taken once is there. Ends with 1 when a
// text is missing, when the device allocated while speaking, when its memory was not flat, when
// memory grew beyond doubt, or when the run was too short to tell. `leak`: this process loses 64
// KiB with each utterance, which must be found.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "asr/planner/plan_maker.h"
#include "asr/scheduler/scheduler.h"
#include "base/mutex.h"
#include "growth.h"
#include "jfk.h"
#include "observe/probe/process.h"

namespace headroom {
namespace {

constexpr Bytes kGpu = MiB(4096);
constexpr int kWarmUp = 4;                    // of the longest utterances
constexpr std::chrono::minutes kPatience{5};  // with one utterance, loading included
constexpr std::size_t kLeak = 64 << 10;

[[noreturn]] void Die(const Error& error) {
  fmt::print(stderr, "bench_soak: {}\n", error.what);
  std::exit(1);
}
template <class T>
T Must(Result<T> result) {
  if (!result) Die(result.error());
  return std::move(*result);
}

// A quiet card with nobody else on it.
class QuietReadings : public asr::Readings {
 public:
  memory::Sample Take(std::span<const pid_t>, bool, MonoTime) override {
    memory::Sample sample;
    sample.vram_total = kGpu;
    sample.vram_used = sample.vram_others = Bytes(0);  // what is ours is believed as planned
    sample.ram = memory::Megabytes(300);
    sample.swap = Bytes(0);
    sample.ram_available = GiB(8);
    sample.host_total = GiB(16);
    sample.psi_some = sample.psi_full = 0;
    return sample;
  }
};

asr::Tier MakeTier(const std::string& model) {
  planner::PlanSettings settings;
  settings.chunks = memory::kChunks;
  std::ranges::sort(settings.chunks);
  settings.chunk = settings.chunks.back();
  settings.gpu = kGpu;
  const auto maker = Must(planner::PlanMaker::Make(settings));
  planner::PlanTarget target;
  target.spec = {"the model", ""};
  target.file = std::filesystem::absolute(model);
  target.size = Bytes(static_cast<std::int64_t>(std::filesystem::file_size(target.file)));
  target.source = planner::PlanSource::kFile;
  asr::Tier tier;
  tier.plan = Must(maker.Plan(target)).plan;
  tier.plan.device = "the simulated card";
  tier.model = target.file;
  tier.worker = "headroom-worker-sim";
  tier.device = fmt::format("soak-{}", ::getpid());
  tier.threads = 1;  // ggml's threads wait by spinning: two are slow on a busy machine
  tier.gpu.capacity = kGpu;
  return tier;
}

Bytes OwnRss() {
  static probe::ProcessReader reader;
  const pid_t self = ::getpid();
  const auto read = reader.Read(std::span(&self, 1), false);
  return read.empty() ? Bytes(0) : read[0].status.rss;
}

struct Series {
  const char* name;
  std::vector<evaluation::Reading> readings = {};
};

evaluation::GrowthResult Show(const Series& series) {
  const evaluation::GrowthResult one = evaluation::JudgeGrowth(series.readings);
  fmt::print(
      "| {} | {:.1f} to {:.1f} MiB | {:+.2f} MiB/h | {:+.2f} to {:+.2f} | {:.1f} to {:.1f} of "
      "{:.1f} MiB | {} |\n",
      series.name, one.low, one.high, one.trend.slope, one.trend.low, one.trend.high, one.least,
      one.most, one.allowed, Name(one.growth));
  return one;
}

// What it means, for a person.
std::string Verdict(std::span<const evaluation::GrowthResult> grown) {
  std::string open;
  for (const auto& one : grown) {
    if (one.medians < evaluation::GrowthResult::kFewest)
      return fmt::format("NOT GOOD: {} readings are too few to tell, {} are wanted", one.medians,
                         evaluation::GrowthResult::kFewest);
    if (one.growth == evaluation::Growth::kGrows) return "NOT GOOD: memory grows";
    if (one.growth == evaluation::Growth::kUndecided)
      open += fmt::format("{}{:.1f} MiB/h", open.empty() ? "" : ", ", one.trend.high);
  }
  if (open.empty()) return "nothing grows";
  return fmt::format("nothing grows beyond doubt; this run is too short to exclude {}", open);
}

struct Settings {
  double seconds = 0;
  std::string model;
  bool hurry = false, leak = false;
};

int Main(const Settings& settings) {
  Mutex mutex;
  CondVar decoded;
  std::uint64_t texts = 0, wrong = 0;
  asr::ClientEvents events;
  events.on_decoded = [&](asr::Decoded one) {
    const MutexLock lock(mutex);
    ++texts;
    if (!one.result || one.id != texts) ++wrong;
    decoded.NotifyOne();
  };
  asr::SchedulerOptions options;
  options.tiers = {MakeTier(settings.model)};
  const auto scheduler = Must(asr::Scheduler::Make(std::move(options), asr::SchedulerEvents(),
                                                   std::make_unique<QuietReadings>()));
  const auto client = scheduler->Connect(asr::Urgency::kDictation, std::move(events));
  client->SetWanted(true);

  const std::vector<float> jfk = asr::Jfk();
  std::mt19937 random(1);
  std::array<Series, 3> series{
      {{"the scheduler's process, RSS"}, {"the worker, RSS"}, {"the card"}}};
  std::uint64_t submitted = 0;
  double audio = 0;
  std::vector<std::unique_ptr<std::array<char, kLeak>>> leaked;
  const Clock& clock = SystemClock();
  // Says it, waits for its text and, unless in a hurry, for its end.
  const auto say = [&](std::size_t at, std::size_t size, bool hurry) {
    const MonoTime begun = clock.Now();
    asr::Utterance utterance;
    utterance.id = ++submitted;
    utterance.options.language = "en";
    utterance.audio = audio::FiniteAudio(
        std::vector<float>(jfk.begin() + static_cast<std::ptrdiff_t>(at),
                           jfk.begin() + static_cast<std::ptrdiff_t>(at + size)));
    if (auto sent = client->Submit(std::move(utterance)); !sent) Die(sent.error());
    MutexLock lock(mutex);
    if (!decoded.WaitFor(mutex, kPatience, [&] { return texts == submitted; }))
      Die({Errc::kTimeout,
           fmt::format("no text for utterance {}: {}", submitted, scheduler->status().reason)});
    lock.Unlock();
    const auto length = std::chrono::duration<double>(static_cast<double>(size) / 16'000);
    if (!hurry)
      std::this_thread::sleep_until(begun + std::chrono::duration_cast<MonoTime::duration>(length));
  };
  for (int i = 0; i < kWarmUp; ++i) say(0, jfk.size(), true);
  const MonoTime begin = clock.Now();
  const auto since = [&] { return std::chrono::duration<double>(clock.Now() - begin).count(); };
  while (since() < settings.seconds) {
    const std::size_t size = 8'000 + random() % (jfk.size() - 8'000);
    audio += static_cast<double>(size) / 16'000;
    say(random() % (jfk.size() - size + 1), size, settings.hurry);
    if (settings.leak) leaked.push_back(std::make_unique<std::array<char, kLeak>>());
    const asr::SchedulerStatus status = scheduler->status();
    const Bytes sizes[] = {OwnRss(), status.worker.rss, status.worker.device};
    for (std::size_t i = 0; i < series.size(); ++i)
      series[i].readings.push_back({since() / 3600, static_cast<double>(sizes[i].n) / (1 << 20)});
  }
  const asr::SchedulerStatus status = scheduler->status();
  fmt::print(
      "{} utterances, {:.0f} s of speech in {:.0f} s; {} texts, {} wrong, {} loads, {} device "
      "allocations while speaking\n\n"
      "| what | from, to | slope | 95 % | gained, of what is allowed | "
      "|\n|---|---|---|---|---|---|\n",
      submitted - kWarmUp, audio, since(), texts - kWarmUp, wrong, status.counts.loads,
      status.counts.device_allocations);
  std::vector<evaluation::GrowthResult> grown;
  for (const Series& one : series) grown.push_back(Show(one));
  std::set<double> gpu;
  for (const evaluation::Reading& one : series[2].readings) gpu.insert(one.mebibytes);
  std::string verdict = Verdict(grown);
  if (wrong > 0 || texts != submitted) verdict = "NOT GOOD: a text is missing or wrong";
  if (status.counts.loads != 1) verdict = "NOT GOOD: the worker was loaded again";
  if (status.counts.device_allocations != 0 || gpu.size() > 1)
    verdict = "NOT GOOD: the card's memory was not flat";
  fmt::print("\n{}\n", verdict);
  return verdict.starts_with("NOT") ? 1 : 0;
}

}  // namespace
}  // namespace headroom

int main(int argc, char** argv) {
  headroom::Settings settings;
  if (argc > 2) settings.seconds = std::atof(argv[1]), settings.model = argv[2];
  for (int i = 3; i < argc; ++i) {
    settings.hurry |= std::string_view(argv[i]) == "hurry";
    settings.leak |= std::string_view(argv[i]) == "leak";
  }
  if (settings.seconds <= 0 || argc > 3 + settings.hurry + settings.leak) {
    fmt::print(stderr, "bench_soak SECONDS MODEL.gguf [hurry] [leak]\n");
    return 2;
  }
  return headroom::Main(settings);
}
