#include "push.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "asr/planner/tiers.h"
#include "asr/scheduler/readings.h"
#include "asr/scheduler/scheduler.h"
#include "asr/scheduler/worker_runner.h"
#include "base/mutex.h"
#include "jfk.h"
#include "observe/probe/host.h"

namespace headroom {
namespace {

constexpr std::array<double, 8> kFree{1, 0.4, 0.15, 0.05, 0.05, 0.15, 0.4, 1};
constexpr Milliseconds kEach{6'000}, kBackWithin{120'000};
constexpr std::chrono::minutes kTextWithin{3};
constexpr std::size_t kClip = 3 * 16'000;

// Of a larger card only the room is there: the rest is taken by others from the beginning, and
// nobody speaks of it.
class SmallGpu : public asr::Readings {
 public:
  SmallGpu(asr::ProbeReadingsOptions options, Bytes room, Bytes total)
      : readings_(std::move(options)), room_(room), elsewhere_(total - room) {}
  memory::Sample Take(std::span<const pid_t> workers, bool idle, MonoTime due) override {
    memory::Sample sample = readings_.Take(workers, idle, due);
    if (!sample.vram_total) return sample;
    sample.vram_total = room_;
    for (auto* part : {&sample.vram_used, &sample.vram_others})
      if (*part) *part = std::max(Bytes(0), **part - elsewhere_);
    return sample;
  }

 private:
  asr::ProbeReadings readings_;
  const Bytes room_, elsewhere_;
};

Result<std::vector<asr::Tier>> TiersOf(const PushOptions& options) {
  TRY_ASSIGN(const auto store, models::Store::Open());
  planner::TierOptions config;
  config.config = {{options.model, planner::Place::kGpu}, {options.model, planner::Place::kCpu}};
  config.gpu = options.gpu;
  config.chunks = options.chunks;
  const auto text = ReadFile("/proc/meminfo", KiB(64));
  if (const auto host = text ? probe::ParseMeminfo(*text) : std::nullopt)
    config.host = memory::HostRoom(host->available, Bytes(0));
  TRY_ASSIGN(planner::Tiers tiers, planner::MakeTiers(store, config));
  if (tiers.tiers.size() != 2)
    return Fail(Errc::kNoMemory, "{}", tiers.notes.empty() ? "no two tiers" : tiers.notes.front());
  return std::move(tiers.tiers);
}

class Walk {
 public:
  Walk(const PushOptions& options, Log& log) : options_(options), log_(log) {}

  Result<> Make() {
    TRY_ASSIGN(std::vector<asr::Tier> tiers, TiersOf(options_));
    asr::SchedulerOptions how;
    how.tiers = std::move(tiers);
    how.policy.chunks = options_.chunks;
    // As long as a person measures, not as long as a person dictates.
    how.policy.timing.hold = Milliseconds(3'000);
    how.policy.timing.between_changes = Milliseconds(5'000);
    how.policy.timing.settle = Milliseconds(2'000);
    asr::ClientEvents events;
    events.on_decoded = [this](asr::Decoded one) {
      const MutexLock lock(mutex_);
      last_ = std::move(one);
      decoded_.NotifyOne();
    };
    asr::ProbeReadingsOptions readings;
    readings.gpu = options_.gpu.device;
    readings.probe = options_.probe;
    TRY_ASSIGN(scheduler_,
               asr::Scheduler::Make(
                   std::move(how), asr::SchedulerEvents(),
                   std::make_unique<SmallGpu>(readings, options_.gpu.total, options_.real_total),
                   std::make_unique<asr::WorkerRunnerMaker>()));
    client_ = scheduler_->Connect(asr::Urgency::kDictation, std::move(events));
    client_->SetWanted(true);
    return {};
  }

  void Go() {
    log_.Say(
        "| free of the room | in use | zone | utterances | decoded by | longest wait |\n"
        "|---|---|---|---|---|---|");
    bool left = false;
    for (const double share : kFree) {
      const Seen seen = Step(share, SystemClock().Now() + kEach);
      left = left || (share < 0.06 && !seen.on_gpu);
    }
    const MonoTime begin = SystemClock().Now();
    Seen seen;
    while (!seen.on_gpu && wrong_ == 0 && SystemClock().Now() - begin < kBackWithin)
      seen = Step(1, SystemClock().Now() + kEach);
    const asr::SchedulerStatus status = scheduler_->status();
    log_.Check(wrong_ == 0, fmt::format("{} utterances, each with its text", utterances_));
    log_.Check(left, "with 5 % left the worker had left the card");
    log_.Check(seen.on_gpu, "back on the card when there was room again");
    log_.Check(status.counts.worker_failures == 0, "no worker failed");
    log_.Check(status.counts.device_allocations == 0, "0 allocations while speaking");
  }

 private:
  struct Seen {
    bool on_gpu = false;
  };

  Bytes Ours() const {
    const asr::SchedulerStatus status = scheduler_->status();
    const bool on_gpu = status.tier && *status.tier == 0;
    return on_gpu ? status.worker.device + options_.gpu.calibration->driver() : Bytes(0);
  }

  Seen Step(double share, MonoTime until) {
    const Bytes free(static_cast<std::int64_t>(static_cast<double>(options_.gpu.total.n) * share));
    std::string tiers;
    std::int64_t spoken = 0;
    Milliseconds longest{0};
    do {
      if (auto moved = options_.leave(free, Ours()); !moved)
        log_.Failed("neighbour", moved.error());
      const auto one = Speak();
      if (!one || !one->result) {
        ++wrong_;
        log_.Failed("an utterance", one ? one->result.error() : Error{Errc::kTimeout, "no text"});
        break;
      }
      ++spoken;
      longest = std::max(longest, one->took);
      if (tiers.find(one->tier) == std::string::npos)
        tiers += (tiers.empty() ? "" : ", then ") + one->tier;
    } while (SystemClock().Now() < until);
    const asr::SchedulerStatus status = scheduler_->status();
    const memory::Sample& sample = status.sample;
    const double used = sample.vram_used && sample.vram_total
                            ? 100.0 * static_cast<double>(sample.vram_used->n) /
                                  static_cast<double>(sample.vram_total->n)
                            : -1;
    const auto zone = memory::VramZone({}, sample.vram_used.value_or(Bytes(0)),
                                       sample.vram_total.value_or(Bytes(0)));
    log_.Say("| {} MiB | {:.0f} % | {} | {} | {} | {:.1f} s |", Mebi(free), used,
             zone ? memory::Name(*zone) : "not known", spoken, tiers,
             static_cast<double>(longest.count()) / 1000);
    return {.on_gpu = status.tier && *status.tier == 0};
  }

  std::optional<asr::Decoded> Speak() {
    asr::Utterance utterance;
    utterance.id = ++utterances_;
    utterance.options.language = "en";
    utterance.audio = clip_;
    if (!client_->Submit(std::move(utterance))) return std::nullopt;
    const MutexLock lock(mutex_);
    decoded_.WaitFor(mutex_, kTextWithin,
                     [&]() REQUIRES(mutex_) { return last_ && last_->id == utterances_; });
    return std::exchange(last_, std::nullopt);
  }

  const PushOptions& options_;
  Log& log_;
  const std::vector<float> jfk_ = asr::Jfk();
  const audio::FiniteAudio clip_ =
      audio::FiniteAudio(std::vector<float>(jfk_.begin(), jfk_.begin() + kClip));
  Mutex mutex_;
  CondVar decoded_;
  std::optional<asr::Decoded> last_ GUARDED_BY(mutex_);
  std::uint64_t utterances_ = 0;
  std::int64_t wrong_ = 0;
  std::unique_ptr<asr::Scheduler> scheduler_;
  std::unique_ptr<asr::Scheduler::Client> client_;  // ends before what its events use
};

}  // namespace

void Push(const PushOptions& options, Log& log) {
  log.Say("\n### A neighbour pushes to 95 % of {} MiB and goes\n", Mebi(options.gpu.total));
  Walk walk(options, log);
  if (auto made = walk.Make(); !made) return log.Failed("push", made.error());
  walk.Go();
}

}  // namespace headroom
