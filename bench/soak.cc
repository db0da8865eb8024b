// Continuous speech through the scheduler and a real worker on the simulated card, for as long as
// asked: does anything grow?
//
//   bench_soak SECONDS MODEL.gguf
//
// The next utterance begins when the one before has its text, so the worker never rests. Once a
// second: RSS of this process, which holds what the daemon holds of the engine; RSS of the worker;
// memory of the card. The slopes are Theil and Sen's over at most 300 medians, the first tenth
// left out. Ends with 1 when a text is missing, when the device allocated while speaking, when its
// memory was not flat, or when memory grew by more than 2 % beyond doubt.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "analyze/trend.h"
#include "engine/scheduler.h"
#include "jfk.h"
#include "planner/plan_maker.h"
#include "probe/process.h"

namespace headroom {
namespace {

constexpr Bytes kCard = MiB(4096);
constexpr std::size_t kMostPoints = 300;
constexpr std::chrono::minutes kPatience{5};  // with one utterance, loading included

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
class QuietReadings : public engine::Readings {
 public:
  memory::Sample Take(std::span<const pid_t>, bool, MonoTime) override {
    memory::Sample sample;
    sample.vram_total = kCard;
    sample.vram_used = sample.vram_others = Bytes(0);  // what is ours is believed as planned
    sample.ram = memory::Megabytes(300);
    sample.swap = Bytes(0);
    sample.ram_available = GiB(8);
    sample.host_total = GiB(16);
    sample.psi_some = sample.psi_full = 0;
    return sample;
  }
};

engine::Tier MakeTier(const std::string& model) {
  planner::PlanSettings settings;
  settings.chunks = memory::kChunks;
  std::ranges::sort(settings.chunks);
  settings.chunk = settings.chunks.back();
  settings.card = kCard;
  const auto maker = Must(planner::PlanMaker::Make(settings));
  planner::PlanTarget target;
  target.spec = {"the model", ""};
  target.file = std::filesystem::absolute(model);
  target.size = Bytes(static_cast<std::int64_t>(std::filesystem::file_size(target.file)));
  target.source = planner::PlanSource::kFile;
  engine::Tier tier;
  tier.plan = Must(maker.Plan(target)).plan;
  tier.plan.device = "the simulated card";
  tier.model = target.file;
  tier.worker = "headroom-worker-sim";
  tier.device = fmt::format("soak-{}", ::getpid());
  tier.threads = 1;  // ggml's threads wait by spinning: two are slow on a busy machine
  tier.card.capacity = kCard;
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
  std::vector<double> mebibytes = {};
};

/// Growth beyond doubt, as a share of what was there; 0 for none.
double Show(const Series& series, double seconds) {
  const std::size_t from = series.mebibytes.size() / 10;
  const std::size_t each = std::max<std::size_t>(1, series.mebibytes.size() / kMostPoints);
  std::vector<double> hours, values;
  for (std::size_t i = from; i + each <= series.mebibytes.size(); i += each) {
    std::vector<double> part(series.mebibytes.begin() + static_cast<std::ptrdiff_t>(i),
                             series.mebibytes.begin() + static_cast<std::ptrdiff_t>(i + each));
    std::ranges::sort(part);
    hours.push_back(static_cast<double>(i) / 3600);
    values.push_back(part[part.size() / 2]);
  }
  const analyze::Trend trend = analyze::TrendOf(hours, values);
  if (values.empty()) return 0;
  const auto [low, high] = std::ranges::minmax(values);
  fmt::print("| {} | {:.1f} to {:.1f} MiB | {:+.2f} MiB/h | {:+.2f} to {:+.2f} |\n", series.name,
             low, high, trend.slope, trend.low, trend.high);
  return std::max(0.0, trend.low) * seconds / 3600 / std::max(1.0, values.front());
}

int Main(double seconds, const std::string& model) {
  std::mutex mutex;
  std::condition_variable decoded;
  std::uint64_t texts = 0, wrong = 0;
  engine::SchedulerEvents events;
  events.on_decoded = [&](engine::Decoded one) {
    const std::lock_guard lock(mutex);
    ++texts;
    if (!one.result || one.id != texts) ++wrong;
    decoded.notify_one();
  };
  engine::SchedulerOptions options;
  options.tiers = {MakeTier(model)};
  const auto scheduler = Must(engine::Scheduler::Make(std::move(options), std::move(events),
                                                      std::make_unique<QuietReadings>()));
  scheduler->SetWanted(true);

  const std::vector<float> jfk = engine::Jfk();
  std::mt19937 random(1);
  std::array<Series, 3> series{
      {{"the scheduler's process, RSS"}, {"the worker, RSS"}, {"the card"}}};
  std::uint64_t submitted = 0;
  double audio = 0;
  MonoTime begin{}, due{};
  const Clock& clock = SystemClock();
  while (begin == MonoTime{} || clock.Now() - begin < std::chrono::duration<double>(seconds)) {
    const std::size_t size = 8'000 + random() % (jfk.size() - 8'000);
    const std::size_t at = random() % (jfk.size() - size + 1);
    engine::Utterance utterance;
    utterance.id = ++submitted;
    utterance.request.language = "en";
    utterance.samples = std::make_shared<const std::vector<float>>(
        jfk.begin() + static_cast<std::ptrdiff_t>(at),
        jfk.begin() + static_cast<std::ptrdiff_t>(at + size));
    audio += static_cast<double>(size) / 16'000;
    if (auto sent = scheduler->Submit(std::move(utterance)); !sent) Die(sent.error());
    {
      std::unique_lock lock(mutex);
      if (!decoded.wait_for(lock, kPatience, [&] { return texts == submitted; }))
        Die({Errc::kTimeout,
             fmt::format("no text for utterance {}: {}", submitted, scheduler->status().reason)});
    }
    if (begin == MonoTime{}) begin = due = clock.Now();  // loaded, and has spoken once
    for (; due <= clock.Now(); due += std::chrono::seconds(1)) {
      const engine::SchedulerStatus status = scheduler->status();
      const Bytes sizes[] = {OwnRss(), status.worker.rss, status.worker.device};
      for (std::size_t i = 0; i < series.size(); ++i)
        series[i].mebibytes.push_back(static_cast<double>(sizes[i].n) / (1 << 20));
    }
  }
  const engine::SchedulerStatus status = scheduler->status();
  fmt::print(
      "{} utterances, {:.0f} s of speech in {:.0f} s; {} texts, {} wrong, {} loads, {} device "
      "allocations while speaking\n\n"
      "| what | from, to | slope | 95 % |\n|---|---|---|---|\n",
      submitted, audio, seconds, texts, wrong, status.counts.loads,
      status.counts.device_allocations);
  double growth = 0;
  for (const Series& one : series) growth = std::max(growth, Show(one, seconds));
  const auto [low, high] = std::ranges::minmax(series[2].mebibytes);
  const bool good = wrong == 0 && texts == submitted && status.counts.device_allocations == 0 &&
                    low == high && status.counts.loads == 1 && growth <= 0.02;
  fmt::print("\n{}\n", good ? "nothing grows" : "NOT GOOD");
  return good ? 0 : 1;
}

}  // namespace
}  // namespace headroom

int main(int argc, char** argv) {
  const double seconds = argc == 3 ? std::atof(argv[1]) : 0;
  if (seconds <= 0) {
    fmt::print(stderr, "bench_soak SECONDS MODEL.gguf\n");
    return 2;
  }
  return headroom::Main(seconds, argv[2]);
}
