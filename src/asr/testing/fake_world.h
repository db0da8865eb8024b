// For the scheduler's tests: a GPU of 4096 MiB with a neighbour, workers that are only numbers, a
// clock that only tests advance, and a dispatcher in the middle.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "asr/scheduler/dispatcher.h"
#include "base/clock.h"
#include "memory/testing/governor_fixture.h"

namespace headroom::asr {

enum class Fault { kNone, kOutOfMemory, kSticky, kLost, kHang, kCrash, kRefuses };

class FakeWorld;

class FakeRunner : public Runner {
 public:
  FakeRunner(FakeWorld& world, const Tier& tier, int number)
      : world_(world), tier_(tier), number_(number) {}
  ~FakeRunner() override;
  void Load(const LoadRequest& request) override;
  void Run(const RecognitionOptions& options, std::vector<Clip> clips,
           Milliseconds within) override;
  void Cancel() override;
  void End() override;
  std::optional<RunnerEvent> Take() override;
  pid_t pid() const override { return alive_ ? 1'000'000 + number_ : -1; }

  std::optional<MonoTime> due() const { return event_ ? std::optional(due_) : std::nullopt; }
  Bytes held() const { return alive_ ? held_ : Bytes(0); }

 private:
  void Happens(Milliseconds in, RunnerEvent event);

  FakeWorld& world_;
  const Tier tier_;
  const int number_;
  Bytes held_, wanted_;
  bool alive_ = true, ending_ = false;
  std::vector<const void*> failing_;  // the samples of a run that fails, null for well ones
  int batch_ = 1;                     // as it was loaded
  std::optional<RunnerEvent> event_;
  MonoTime due_{};
};

class FakeWorld : public RunnerMaker, public Readings {
 public:
  explicit FakeWorld(memory::Policy policy = memory::MakePolicy(), SchedulerOptions options = {})
      : base(policy) {
    numbers.host_total = GiB(31);
    numbers.ram_available = GiB(20);
    numbers.ram = memory::Megabytes(300);
    numbers.swap = Bytes(0);
    numbers.psi_some = numbers.psi_full = 0;
    for (const memory::Plan& plan : policy.tiers) {
      Tier tier;
      tier.plan = plan;
      tier.model = "/" + plan.model;
      tier.device = plan.kind == memory::DeviceKind::kDiscrete ? "gpu0" : "";
      tier.traits.architecture = "fake";
      tier.traits.languages = {"en"};
      options.tiers.push_back(std::move(tier));
    }
    options.policy = std::move(policy);
    settings = std::move(options);
  }

  ~FakeWorld() override { dispatcher.reset(); }  // it ends runners, which know this

  /// Call once, when the settings are as they shall be.
  void Start() {
    DispatcherEvents events;
    events.on_decoded = [this](Decoded one) { decoded.push_back(std::move(one)); };
    events.on_speculated = [this](Speculated one) { speculated.push_back(std::move(one)); };
    events.on_retried = [this](Retried one) { retried.push_back(std::move(one)); };
    events.on_action = [this](const memory::Action& one) {
      actions.push_back(one);
      if (on_action) on_action(one);
    };
    events.on_tier = [this](const TierEvent& one) { changes.push_back(one); };
    events.on_restart = [this](const std::string&) { ++restarts; };
    dispatcher.emplace(settings, *this, *this, std::move(events), [] {}, clock);
    dispatcher->Connect(0, Urgency::kDictation);
    dispatcher->Tick();
  }

  /// Everything that happens in that time, at the moment it happens.
  void Pass(Milliseconds time) {
    const MonoTime end = clock.Now() + time;
    while (clock.Now() < end) {
      MonoTime next = std::min(end, dispatcher->next_tick());
      for (const FakeRunner* runner : runners) {
        if (const auto due = runner->due()) next = std::min(next, *due);
      }
      const auto step = std::chrono::ceil<Milliseconds>(next - clock.Now());
      clock.Advance(std::max(step, Milliseconds(1)));
      dispatcher->Tick();
    }
  }

  void Submit(std::uint64_t id, Milliseconds length = Milliseconds(4000), Ticket adopt = 0,
              const std::string& language = "en") {
    Utterance utterance{.id = id, .options = {}, .audio = Sound(length), .adopt = adopt};
    utterance.options.language = language;
    if (dispatcher->Submit(std::move(utterance))) ++submitted;
    dispatcher->Tick();
  }
  void Speculate(Ticket ticket, Milliseconds length = Milliseconds(4000)) {
    dispatcher->Speculate(ticket, {.id = 0, .options = {}, .audio = Sound(length)});
    dispatcher->Tick();
  }
  static audio::FiniteAudio Sound(Milliseconds length) {
    return audio::FiniteAudio(
        std::vector<float>(static_cast<std::size_t>(length.count()) * 16, 0.1F));
  }
  /// What the audio is known by in `deadly`, `failed` and `failed_together`.
  static const void* KeyOf(const audio::FiniteAudio& audio) { return audio.samples().data(); }

  /// "big", "" when none is ready.
  std::string Ready() const {
    const auto tier = dispatcher->status().tier;
    return tier ? settings.tiers[*tier].plan.model : "";
  }
  bool Saw(TierChange change) const {
    return std::ranges::any_of(changes, [&](const TierEvent& e) { return e.change == change; });
  }
  Bytes Held() const {
    Bytes held;
    for (const FakeRunner* runner : runners) held += runner->held();
    return held;
  }
  /// Counts what stayed on a GPU in danger for longer than an utterance may end and a worker
  /// takes to go.
  void WatchDanger() {
    const Bytes held = Held();
    if (held.n == 0 || (others + kept + held).n * 100 < MiB(4096).n * 85) {
      danger_since.reset();
    } else if (!danger_since) {
      danger_since = clock.Now();
    } else if (clock.Now() - *danger_since > Milliseconds(600) + end_time) {
      ++stayed_in_danger;
    }
  }

  // RunnerMaker
  Result<std::unique_ptr<Runner>> Make(const Tier& tier, std::function<void()>) override {
    if (tier.on_gpu() && gpu_taken) return Fail(Errc::kBusy, "taken");
    auto runner = std::make_unique<FakeRunner>(*this, tier, ++made);
    if (tier.on_gpu()) {
      // One owner of the GPU, also while the one before is going.
      for (const FakeRunner* other : runners) two_at_once += other->held().n > 0;
    }
    runners.push_back(runner.get());
    return runner;
  }
  bool Free(const Tier&) override { return !gpu_taken; }

  // Readings
  memory::Sample Take(std::span<const pid_t>, bool idle, MonoTime) override {
    ++samples;
    memory::Sample sample = numbers;
    if (!gpu_answers) return sample;
    sample.gpu_rests = idle && sleeps;
    if (sample.gpu_rests) return sample;
    WatchDanger();
    const Bytes held = Held();
    sample.vram_total = MiB(4096);
    sample.vram_others = std::min(others + kept, MiB(4096));
    sample.vram_ours = held;
    sample.vram_used = std::min(others + kept + held, MiB(4096));
    return sample;
  }

  Fault NextFault() {
    if (faults.empty()) return Fault::kNone;
    const Fault fault = faults.front();
    faults.pop_front();
    return fault;
  }

  memory::Policy base;
  SchedulerOptions settings;
  FakeClock clock;
  memory::Sample numbers;
  Bytes others, kept;
  Bytes keeps;  // that much of a worker's memory stays when it has gone
  bool gpu_answers = true, sleeps = false, gpu_taken = false;
  Milliseconds load_time{1500}, end_time{120}, cancel_time{20};
  double rate = 0.1;             // seconds of computing for a second of audio
  std::deque<Fault> faults;      // of the next runs
  std::set<std::string> broken;  // models that cannot be loaded
  std::set<const void*> deadly;  // samples that crash every run on the GPU that they are in
  int clip_faults = 0;           // of the next batches: one clip has an error of its own
  bool cancel_kills = false, faults_everywhere = false;

  std::optional<Dispatcher> dispatcher;
  std::vector<FakeRunner*> runners;
  std::vector<Decoded> decoded;
  std::vector<Speculated> speculated;
  std::vector<Retried> retried;
  std::vector<memory::Action> actions;
  std::vector<TierEvent> changes;
  std::map<std::string, int> runs;                            // by model
  std::map<std::pair<const void*, std::string>, int> failed;  // alone, by samples and model
  std::map<const void*, int> failed_together;                 // in a batch, by samples
  int largest = 0, too_large = 0;      // batches; those that the worker was not loaded for
  std::vector<std::size_t> clips;      // of each run
  std::vector<Milliseconds> patience;  // with each run
  std::function<void(const memory::Action&)> on_action;
  std::optional<MonoTime> danger_since;  // of the sample that showed it
  /// From such a sample until the worker on the GPU began to end; the longest of all.
  std::optional<Milliseconds> stayed;
  int made = 0, samples = 0, stayed_in_danger = 0, submitted = 0, restarts = 0, two_at_once = 0;
};

inline FakeRunner::~FakeRunner() {
  std::erase(world_.runners, this);
}

inline void FakeRunner::Happens(Milliseconds in, RunnerEvent event) {
  event.took = in;
  event_ = std::move(event);
  due_ = world_.clock.Now() + in;
}

inline void FakeRunner::Load(const LoadRequest& request) {
  RunnerEvent event{.what = RunnerEvent::What::kLoaded};
  if (world_.broken.contains(tier_.plan.model)) {
    event.loaded = Fail(Errc::kCorrupt, "not a model");
    event.alive = true;
  } else {
    Milliseconds longest{};
    for (const Milliseconds chunk : request.chunks) longest = std::max(longest, chunk);
    batch_ = request.batch;
    if (tier_.on_gpu()) wanted_ = tier_.plan.Peak({longest, batch_ > 1}).bytes;
    event.loaded = tier_.traits;
    event.alive = true;
  }
  Happens(world_.load_time, std::move(event));
}

inline void FakeRunner::Run(const RecognitionOptions& options, std::vector<Clip> clips,
                            Milliseconds within) {
  ++world_.runs[tier_.plan.model];
  world_.clips.push_back(clips.size());
  world_.patience.push_back(within);
  world_.too_large += static_cast<int>(clips.size()) > batch_;
  world_.largest = std::max(world_.largest, static_cast<int>(clips.size()));
  RunnerEvent event{.what = RunnerEvent::What::kRan};
  std::size_t longest = 0;
  for (const Clip& clip : clips) longest = std::max(longest, clip.count);
  // A batch takes half as long again for each other clip.
  const double work =
      static_cast<double>(longest) / 16 * (1 + 0.5 * static_cast<double>(clips.size() - 1));
  const auto time = Milliseconds(static_cast<std::int64_t>(work * world_.rate));
  Fault fault = tier_.on_gpu() || world_.faults_everywhere ? world_.NextFault() : Fault::kNone;
  if (tier_.on_gpu() && std::ranges::any_of(clips, [this](const Clip& clip) {
        return world_.deadly.contains(FakeWorld::KeyOf(clip.audio));
      }))
    fault = Fault::kCrash;
  failing_.clear();
  if (fault == Fault::kNone) {
    event.alive = true;
    BatchResult results;
    for (const Clip& clip : clips) {
      RunResult result;
      result.transcript.language = options.language;
      const auto length = Milliseconds(static_cast<std::int64_t>(clip.count / 16));
      result.transcript.segments = {
          {Milliseconds(0),
           length,
           fmt::format("{} {}+{}", tier_.plan.model, clip.begin / 16, length.count()),
           {}}};
      results.emplace_back(std::move(result));
    }
    if (clips.size() > 1 && world_.clip_faults > 0) {
      --world_.clip_faults;
      results.back() = Fail(Errc::kUnsupported, "this clip cannot");
      failing_ = {nullptr, FakeWorld::KeyOf(clips.back().audio)};
    }
    event.ran = std::move(results);
    Happens(time, std::move(event));
    return;
  }
  for (const Clip& clip : clips) failing_.push_back(FakeWorld::KeyOf(clip.audio));
  const auto lost = [&](const char* words) {
    event.ran =
        Fail(Errc::kWorkerLost, "the worker was killed by signal 6; its last words: {}", words);
    alive_ = false;
  };
  Milliseconds when = time / 2;
  switch (fault) {
    case Fault::kOutOfMemory:
      event.alive = true;
      event.ran = Fail(Errc::kNoMemory, "device memory");
      break;
    case Fault::kSticky:
      lost("CUDA error: unspecified launch failure");
      break;
    case Fault::kLost:
      lost("vk::Queue::submit: ErrorDeviceLost");
      break;
    case Fault::kCrash:
      lost("");
      break;
    case Fault::kHang:
      event.ran = Fail(Errc::kTimeout, "the worker did not answer in time");
      when = within;
      break;
    case Fault::kRefuses:
      event.alive = true;
      event.ran = Fail(Errc::kUnsupported, "this model cannot");
      break;
    case Fault::kNone:
      break;
  }
  Happens(when, std::move(event));
}

inline void FakeRunner::Cancel() {
  RunnerEvent event{.what = RunnerEvent::What::kRan};
  event.ran = Fail(Errc::kCancelled, "cancelled");
  event.alive = !world_.cancel_kills;
  if (event_ && due_ > world_.clock.Now() + world_.cancel_time)
    Happens(world_.cancel_time, std::move(event));
}

inline void FakeRunner::End() {
  if (ending_) return;
  ending_ = true;
  if (world_.danger_since && held_.n > 0) {
    const auto stayed =
        std::chrono::duration_cast<Milliseconds>(world_.clock.Now() - *world_.danger_since);
    world_.stayed = std::max(stayed, world_.stayed.value_or(stayed));
  }
  Happens(world_.end_time, {.what = RunnerEvent::What::kEnded});
}

inline std::optional<RunnerEvent> FakeRunner::Take() {
  if (!event_ || world_.clock.Now() < due_) return std::nullopt;
  RunnerEvent event = std::move(*std::exchange(event_, std::nullopt));
  if (event.what == RunnerEvent::What::kRan &&
      (event.ran || event.ran.error().code != Errc::kCancelled)) {
    for (const void* samples : failing_) {
      if (samples == nullptr) continue;
      if (failing_.size() > 1)
        ++world_.failed_together[samples];
      else
        ++world_.failed[{samples, tier_.plan.model}];
    }
  }
  if (event.what == RunnerEvent::What::kEnded) {
    alive_ = false;
    world_.kept += std::min(world_.keeps, held_);
  }
  if (event.what == RunnerEvent::What::kLoaded && event.loaded) {
    if (tier_.on_gpu() && world_.others + world_.kept + world_.Held() + wanted_ > MiB(4096)) {
      event.loaded = Fail(Errc::kNoMemory, "device memory");
    } else {
      held_ = wanted_;
    }
  }
  return event;
}

}  // namespace headroom::asr
