// The night that this program exists for, replayed with the real engine: a card of 4096 MiB, eleven
// hours, a neighbour that takes all of it, and a driver that fails in every way it knows.
//
// Models are computed by headroom-worker-sim; Canary has its true structure and random weights, so
// what it "hears" is noise, while whisper-tiny.en hears what is said. Hours pass on a clock of our
// own; while a worker computes, that clock goes as fast as the real one. ./test sets
// HEADROOM_TEST_MODEL (whisper-tiny.en) and HEADROOM_TEST_ENGINE.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <fstream>
#include <map>

#include "asr/planner/tiers.h"
#include "asr/scheduler/dispatcher.h"
#include "asr/scheduler/worker_runner.h"
#include "base/child.h"
#include "base/mutex.h"
#include "clips.h"
#include "models/formats/skeleton.h"
#include "observe/probe/process.h"

namespace headroom::asr {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr Bytes kGpu = MiB(4096);
constexpr Bytes kDriver = MiB(304);  // what a plan allows for context and libraries

// What a real worker holds of the card, and whose run it is that fails.
struct Ledger {
  Mutex mutex;
  std::map<const void*, Bytes> held GUARDED_BY(mutex);  // by runner
  std::map<std::string, int> failed;                    // runs of the present utterance, by tier
  int loads = 0;
  std::optional<MonoTime> danger;  // real time of the sample that showed it
  std::vector<Milliseconds> left_after;

  Bytes Held() {
    const MutexLock lock(mutex);
    Bytes sum;
    for (const auto& [runner, bytes] : held) sum += bytes;
    return sum;
  }
};

// A real worker process, watched.
class WatchedRunner : public Runner {
 public:
  WatchedRunner(std::unique_ptr<Runner> runner, const Tier& tier, std::string script,
                Ledger& ledger)
      : runner_(std::move(runner)),
        tier_(tier.Title()),
        script_(std::move(script)),
        on_gpu_(tier.on_gpu()),
        ledger_(ledger) {}
  ~WatchedRunner() override {
    runner_.reset();
    Hold(Bytes(0));
  }
  void Load(const LoadRequest& request) override {
    LoadRequest scripted = request;
    scripted.gpu.script = script_;
    runner_->Load(scripted);
  }
  void Run(const RecognitionOptions& options, std::vector<Clip> clips,
           Milliseconds within) override {
    runner_->Run(options, std::move(clips), within);
  }
  void Cancel() override { runner_->Cancel(); }
  void End() override { runner_->End(); }
  pid_t pid() const override { return runner_->pid(); }
  std::optional<RunnerEvent> Take() override {
    auto event = runner_->Take();
    if (!event) return event;
    if (on_gpu_) Hold(event->alive ? event->stats.device + kDriver : Bytes(0));
    if (event->what == RunnerEvent::What::kRan && !event->ran &&
        event->ran.error().code != Errc::kCancelled)
      ++ledger_.failed[tier_];
    if (event->what == RunnerEvent::What::kEnded && on_gpu_ && ledger_.danger) {
      ledger_.left_after.push_back(std::chrono::duration_cast<Milliseconds>(
          SystemClock().Now() - *std::exchange(ledger_.danger, std::nullopt)));
    }
    return event;
  }

 private:
  void Hold(Bytes bytes) {
    const MutexLock lock(ledger_.mutex);
    if (bytes.n > 0)
      ledger_.held[this] = bytes;
    else
      ledger_.held.erase(this);
  }
  std::unique_ptr<Runner> runner_;
  const std::string tier_, script_;
  const bool on_gpu_;
  Ledger& ledger_;
};

// Every load on the card gets the next script of the simulated card.
class WatchedMaker : public RunnerMaker {
 public:
  WatchedMaker(Ledger& ledger, const fs::path& locks)
      : ledger_(ledger), workers_({.locks = locks}) {}
  Result<std::unique_ptr<Runner>> Make(const Tier& tier, std::function<void()> wake) override {
    ++ledger_.loads;
    TRY_ASSIGN(auto runner, workers_.Make(tier, std::move(wake)));
    std::string script;
    if (tier.on_gpu() && next < scripts.size()) script = scripts[next++];
    return std::make_unique<WatchedRunner>(std::move(runner), tier, std::move(script), ledger_);
  }
  bool Free(const Tier& tier) override { return workers_.Free(tier); }

  std::vector<std::string> scripts;
  std::size_t next = 0;

 private:
  Ledger& ledger_;
  WorkerRunnerMaker workers_;
};

// The card as a driver would show it.
class GpuReadings : public Readings {
 public:
  explicit GpuReadings(Ledger& ledger) : ledger_(ledger) {}
  memory::Sample Take(std::span<const pid_t>, bool, MonoTime) override {
    memory::Sample sample;
    sample.ram = memory::Megabytes(300);
    sample.swap = Bytes(0);
    sample.ram_available = GiB(8);
    sample.host_total = GiB(31);
    sample.psi_some = sample.psi_full = 0;
    const Bytes held = ledger_.Held();
    sample.vram_total = kGpu;
    sample.vram_others = others;
    sample.vram_ours = held;
    sample.vram_used = std::min(others + held, kGpu);
    if (held.n > 0 && sample.vram_used->n * 100 >= kGpu.n * 85 && !ledger_.danger)
      ledger_.danger = SystemClock().Now();
    return sample;
  }
  Bytes others;

 private:
  Ledger& ledger_;
};

class Incident : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = fs::path(testing::TempDir()) / fmt::format("headroom-incident-{}", ::getpid());
    fs::create_directories(folder_ / "models");
    ::setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1);
    Canary("tiny", "q8_0", "canary-1b-flash-Q8_0.gguf");
    Canary("tiny", "f16", "canary-180m-flash-F16.gguf");
    fs::create_symlink(Environment("HEADROOM_TEST_MODEL"),
                       folder_ / "models/whisper-tiny.en-F16.gguf");
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }

  static void Canary(const char* shape, const char* weights, const char* name) {
    const std::string command =
        fmt::format("cd '{}' && exec \"$(./venv.sh numpy gguf)\" make_canary.py {} {} '{}'",
                    HEADROOM_TESTS_DIR, shape, weights, (folder_ / "models" / name).native());
    auto child = Child::Spawn({.argv = {"sh", "-c", command}, .fds = {}, .environment = {}});
    ASSERT_TRUE(child) << child.error().what;
    ASSERT_TRUE(child->Wait()->ok()) << command;
  }
  static planner::Gpu Gpu() {
    return {.device = "0000:01:00.0",
            .name = "the card",
            .total = kGpu,
            .worker = "headroom-worker-sim",
            .options = {.capacity = kGpu}};
  }
  static planner::TierOptions Options() {
    planner::TierOptions options;
    options.gpu = Gpu();
    options.threads = 1;  // ggml's threads wait by spinning: two are slow on a busy machine
    options.host.total = GiB(8);
    return options;
  }
  static models::Store Store(const fs::path& folder) {
    return {folder, models::LoadCatalogue().value()};
  }

  static inline fs::path folder_;
};

// --- as it was ---------------------------------------------------------------------------------

TEST_F(Incident, AsItWasTheModelIsRefusedBeforeAByteIsAllocated) {
  const fs::path folder = folder_ / "as-it-was";
  fs::create_directories(folder);
  const models::Store store = Store(folder);
  const auto skeleton = models::MakeSkeleton("canary-1b-flash", "F32");
  ASSERT_TRUE(skeleton);
  ASSERT_TRUE(models::WriteSkeleton(*skeleton, store.PathOf({"canary-1b-flash", "F32"})));
  fs::create_symlink(Environment("HEADROOM_TEST_MODEL"), folder / "whisper-tiny.en-F16.gguf");
  planner::TierOptions options = Options();
  options.config = {{"canary-1b-flash:F32", planner::Place::kGpu},
                    {"whisper-tiny.en", planner::Place::kCpu}};
  const auto tiers = planner::MakeTiers(store, options);
  ASSERT_TRUE(tiers) << tiers.error().what;
  ASSERT_EQ(tiers->notes.size(), 1u);
  fmt::print("as it was: {}\n", tiers->notes[0]);
  EXPECT_THAT(tiers->notes[0], HasSubstr("canary-1b-flash F32 on the card: UNSAFE: 33"));
  EXPECT_THAT(tiers->notes[0], HasSubstr("MiB weights"));
  EXPECT_THAT(tiers->notes[0], HasSubstr("of 4096 MiB > 80 %"));
  ASSERT_EQ(tiers->tiers.size(), 1u) << "and the best that fits is used";
  EXPECT_EQ(tiers->tiers[0].Title(), "whisper-tiny.en F16 on cpu");
}

// Even where nobody validated: the governor does not let it be loaded.
TEST_F(Incident, AsItWasNoWorkerIsStartedForIt) {
  Tier tier;
  tier.plan = memory::Plan{.model = "canary-1b-flash",
                           .quantisation = "F32",
                           .device = "the card",
                           .weights = MiB(3396),
                           .kv = MiB(72),
                           .workspace = {{seconds(8), MiB(80)}, {seconds(30), MiB(301)}},
                           .driver = kDriver,
                           .margin = {},
                           .host = {}};
  tier.device = "0000:01:00.0";
  Ledger ledger;
  WatchedMaker maker(ledger, folder_ / "locks");
  GpuReadings readings(ledger);
  FakeClock clock;
  std::vector<std::string> told;
  DispatcherEvents events;
  events.on_action = [&](const memory::Action& action) { told.push_back(action.reason); };
  Dispatcher dispatcher({.tiers = {tier}}, maker, readings, events, [] {}, clock);
  dispatcher.Connect(0, Urgency::kDictation);
  dispatcher.SetWanted(true);
  ASSERT_TRUE(dispatcher.Submit({.id = 1, .audio = Clips()[0].samples}));
  for (int i = 0; i < 600; ++i) {
    clock.Advance(seconds(1));
    dispatcher.Tick();
  }
  EXPECT_EQ(ledger.loads, 0);
  EXPECT_EQ(ledger.Held(), Bytes(0));
  EXPECT_TRUE(dispatcher.status().paused);
  EXPECT_EQ(dispatcher.status().waiting, 1u) << "kept, not lost";
  EXPECT_THAT(told, testing::Contains(HasSubstr("no tier fits")));
}

// --- as it should have been --------------------------------------------------------------------

class TheNight {
 public:
  TheNight(std::vector<Tier> tiers, const fs::path& folder)
      : titles_(TitlesOf(tiers)), scripts(ledger_, folder / "locks"), readings(ledger_) {
    DispatcherEvents events;
    events.on_decoded = [this](Decoded one) { decoded.push_back(std::move(one)); };
    events.on_tier = [this](const TierEvent& event) {
      ++changes[event.change];
      Trace(fmt::format("{} {}", Name(event.change), event.text));
      if (event.change == TierChange::kFailed) failures.push_back(event.text);
    };
    events.on_action = [this](const memory::Action& action) {
      Trace(fmt::format("{}: {}", Name(action.kind), action.reason));
    };
    SchedulerOptions options{.tiers = std::move(tiers)};
    dispatcher.emplace(
        std::move(options), scripts, readings, std::move(events), [this] { Wake(); }, clock);
    dispatcher->Connect(0, Urgency::kDictation);
  }

  ~TheNight() { dispatcher.reset(); }  // before what its events go to

  /// Hours in which nothing computes.
  void Pass(Milliseconds time) {
    const MonoTime end = clock.Now() + time;
    while (clock.Now() < end) {
      const auto step =
          std::chrono::ceil<Milliseconds>(std::min(end, dispatcher->next_tick()) - clock.Now());
      clock.Advance(std::max(step, Milliseconds(1)));
      dispatcher->Tick();
    }
  }
  /// Until it is so, at the pace of the real clock.
  template <class Done>
  bool Await(Done done, Milliseconds real = Milliseconds(240'000)) {
    const Clock& system = SystemClock();
    const MonoTime deadline = system.Now() + real;
    MonoTime last = system.Now();
    while (true) {
      dispatcher->Tick();
      if (done()) return true;
      if (system.Now() > deadline) return false;
      {
        const MutexLock lock(mutex_);
        waked_.WaitFor(mutex_, Milliseconds(20), [&]() REQUIRES(mutex_) { return woken_; });
        woken_ = false;
      }
      const auto step = std::chrono::duration_cast<Milliseconds>(system.Now() - last);
      last += step;
      clock.Advance(step);
    }
  }
  bool AwaitReady(std::size_t tier) {
    return Await([&] { return dispatcher->status().tier == tier; });
  }
  /// One utterance, spoken in its time, and its text.
  bool Say(const SpokenClip& clip) {
    Pass(LengthOf(clip.samples));
    Utterance utterance{.id = ++said, .audio = audio::FiniteAudio(clip.samples)};
    utterance.options.language = "en";
    if (!dispatcher->Submit(std::move(utterance))) return false;
    clips.push_back(&clip);
    return Await([&] { return decoded.size() == said; });
  }

 private:
  // HEADROOM_TRACE=1 shows the night as it goes.
  void Trace(const std::string& line) const {
    static const bool shown = !Environment("HEADROOM_TRACE").empty();
    if (shown)
      fmt::print(stderr, "{:9.1f} s  {}\n",
                 std::chrono::duration<double>(clock.Now() - MonoTime(hours(1))).count(), line);
  }
  static std::vector<std::string> TitlesOf(const std::vector<Tier>& tiers) {
    std::vector<std::string> titles;
    for (const Tier& tier : tiers) titles.push_back(tier.Title());
    return titles;
  }
  void Wake() {
    const MutexLock lock(mutex_);
    woken_ = true;
    waked_.NotifyOne();
  }
  Mutex mutex_;
  CondVar waked_;
  bool woken_ GUARDED_BY(mutex_) = false;
  const std::vector<std::string> titles_;
  Ledger ledger_;

 public:
  Ledger& ledger() { return ledger_; }
  WatchedMaker scripts;
  GpuReadings readings;
  FakeClock clock;
  std::optional<Dispatcher> dispatcher;
  std::vector<Decoded> decoded;
  std::vector<const SpokenClip*> clips;
  std::map<TierChange, int> changes;
  std::vector<std::string> failures;
  std::size_t said = 0;
};

Bytes OwnMemory() {
  ::malloc_trim(0);
  probe::ProcessReader reader;
  const std::array pids{::getpid()};
  return reader.Read(pids, false).at(0).status.counted();
}

std::string TextOf(const Decoded& one) {
  std::string text;
  for (const auto& segment : one.result->transcript.segments) text += segment.text + " ";
  return text;
}

TEST_F(Incident, AsItShouldHaveBeen) {
  const auto made = planner::MakeTiers(Store(folder_ / "models"), Options());
  ASSERT_TRUE(made) << made.error().what;
  const std::vector<Tier>& tiers = made->tiers;
  ASSERT_EQ(tiers.size(), 3u);
  ASSERT_TRUE(tiers[0].on_gpu() && tiers[1].on_gpu());
  ASSERT_FALSE(tiers[2].on_gpu());
  const std::vector<SpokenClip> clips = Clips();
  TheNight night(tiers, folder_);
  Dispatcher& dispatcher = *night.dispatcher;
  night.scripts.scripts = {"", ""};  // the evening: nothing happens
  const MonoTime evening = night.clock.Now();

  // 20:20. The service starts and decodes its first utterance.
  dispatcher.SetWanted(true);
  ASSERT_TRUE(night.AwaitReady(0));
  ASSERT_TRUE(night.Say(clips[0]));
  ASSERT_TRUE(night.decoded[0].result) << night.decoded[0].result.error().what;
  const Bytes before = OwnMemory();

  // 10 h 50 min in which nobody speaks: after five minutes nothing is left on the card.
  dispatcher.SetWanted(false);
  night.Pass(minutes(5) + seconds(5));
  ASSERT_TRUE(night.Await([&] { return dispatcher.none_left(); }));
  night.Pass(seconds(10));
  EXPECT_EQ(night.changes[TierChange::kMemoryBack], 1);
  EXPECT_EQ(night.ledger().Held(), Bytes(0));
  night.Pass(hours(6));
  // The computer sleeps in between, with somebody having just begun to listen.
  dispatcher.SetWanted(true);
  ASSERT_TRUE(night.AwaitReady(0));
  dispatcher.Suspend();
  ASSERT_TRUE(night.Await([&] { return dispatcher.none_left(); }));
  night.clock.Advance(hours(4) + minutes(45));
  dispatcher.Resume();
  ASSERT_TRUE(night.AwaitReady(0));

  // 07:14:57. Speech, without end; a neighbour that wants the card; a driver that fails.
  night.scripts.scripts = {"run 2: error 719", "run 1: error 2",  "run 1: error 700",
                           "run 1: hang",      "run 1: die",      "allocation 1: fail",
                           "run 1: error 999", "run 1: error 100"};
  night.scripts.next = 0;
  const std::size_t faults = night.scripts.scripts.size();
  const MonoTime morning = night.clock.Now();
  Milliseconds speech{};
  std::size_t struck = 0;  // in the four minutes without a pause
  for (std::size_t i = 0; speech < minutes(4) || night.failures.size() < faults; ++i) {
    ASSERT_LT(speech, minutes(12)) << night.failures.size() << " of the faults have struck";
    const SpokenClip& clip = clips[i % clips.size()];
    if (i == 2) night.readings.others = MiB(3891);  // 95 %
    if (i == 8) night.readings.others = Bytes(0);
    // The neighbour comes and goes, so that there is a reason to go up again.
    if (i > 8) night.readings.others = i / 4 % 2 == 0 ? MiB(400) : MiB(100);
    // What has not struck in four minutes does so while people speak now and then.
    if (speech >= minutes(4)) night.Pass(seconds(30));
    ASSERT_TRUE(night.Say(clip)) << clip.name;
    speech += LengthOf(clip.samples);
    for (const auto& [tier, times] : std::exchange(night.ledger().failed, {}))
      EXPECT_EQ(times, 1) << "one utterance failed twice in " << tier;
    if (i == 5) {
      EXPECT_FALSE(tiers[*dispatcher.status().tier].on_gpu());
    }
    if (speech < minutes(4)) struck = night.failures.size();
  }

  // What was promised.
  ASSERT_EQ(night.decoded.size(), night.said);
  int by_cpu = 0, failed = 0;
  for (std::size_t i = 0; i < night.decoded.size(); ++i) {
    const Decoded& one = night.decoded[i];
    EXPECT_EQ(one.id, i + 1) << "in order";
    ASSERT_TRUE(one.result) << one.result.error().what;
    failed += one.failures;
    if (one.tier != tiers[2].Title()) continue;
    ++by_cpu;
    if (!night.clips[i]->word.empty()) {
      EXPECT_THAT(TextOf(one), HasSubstr(night.clips[i]->word));
    }
  }
  EXPECT_EQ(night.failures.size(), faults) << "as many errors as faults: no cascade";
  const SchedulerStatus status = dispatcher.status();
  EXPECT_EQ(status.counts.device_allocations, 0) << "on the speech path";
  for (const Milliseconds left : night.ledger().left_after)
    EXPECT_LT(left, Milliseconds(2'000)) << "half a second, and a busy machine";

  // And afterwards, in peace, the best tier is back.
  night.readings.others = Bytes(0);
  night.scripts.scripts.clear();
  for (int i = 0; i < 90 && dispatcher.status().tier != 0; ++i) {
    night.Pass(minutes(1));
    (void)night.Await([&] { return !dispatcher.status().loading; });
  }
  EXPECT_EQ(dispatcher.status().tier, 0u);
  ASSERT_TRUE(night.Say(clips[0]));
  EXPECT_EQ(night.decoded.back().tier, tiers[0].Title());
  const auto back = std::chrono::duration_cast<minutes>(night.clock.Now() - morning);

  const Bytes after = OwnMemory();
  EXPECT_LE(after.n, before.n * 11 / 10) << "the daemon's memory, before " << before.n;

  Milliseconds slowest{};
  for (const Milliseconds left : night.ledger().left_after) slowest = std::max(slowest, left);
  fmt::print(
      "| what | |\n|---|---|\n"
      "| the night | {} h, of it {} s of speech in {} utterances, faster than real time "
      "|\n"
      "| faults | {}, {} of them in the first four minutes: errors 719, 2, 700, 999, 100, a hang, "
      "a death, a failed load; neighbour at 95 % |\n"
      "| texts | {} of {}, in order; {} by the CPU tier |\n"
      "| failed runs and loads | {}; the most one utterance met {} |\n"
      "| device allocations while speaking | {} |\n"
      "| from the sample that showed danger to the worker's end | {} ms at most |\n"
      "| memory of the daemon | {} before, {} after |\n"
      "| back on the best tier | {} min after the first fault |\n",
      std::chrono::duration_cast<hours>(night.clock.Now() - evening).count(),
      std::chrono::duration_cast<seconds>(speech).count(), night.said, faults, struck,
      night.decoded.size(), night.said, by_cpu, night.failures.size(),
      std::ranges::max(night.decoded, {}, &Decoded::failures).failures,
      status.counts.device_allocations, slowest.count(), FormatBinary(before), FormatBinary(after),
      back.count());
  EXPECT_GE(failed, static_cast<int>(faults) - 2);
}

}  // namespace
}  // namespace headroom::asr
