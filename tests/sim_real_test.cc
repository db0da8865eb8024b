// The real engine on the simulated card: the same text as the CPU's, the same bytes counted as
// computed, nothing allocated once a model is ready, and every fault as a typed error.
// ./test sets HEADROOM_TEST_MODEL (whisper-tiny.en) and HEADROOM_TEST_ENGINE; a Canary of the
// right structure and random weights is made here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <random>
#include <thread>

#include "asr/client/worker.h"
#include "asr/scheduler/scheduler.h"
#include "asr/scheduler/worker_runner.h"
#include "base/child.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/mutex.h"
#include "jfk.h"

namespace headroom::asr {
namespace {

using testing::HasSubstr;

constexpr Milliseconds kLong{120'000};
constexpr int kThreads =
    1;  // ggml's threads wait for each other by spinning: two are slow on a busy machine
const std::vector<Milliseconds> kLengths{Milliseconds(30'000), Milliseconds(11'000),
                                         Milliseconds(3000)};

const char* const kCudaLike = R"({"registry": "CUDA", "name": "CUDA0", "alignment": 128,
                                  "size_rule": "cuda_rows"})";
const char* const kVulkanLike = R"({"registry": "Vulkan", "name": "Vulkan0", "alignment": 64,
                                    "largest_buffer": 33554432, "granularity": 4096,
                                    "unsupported": ["IM2COL", "GET_ROWS:q8_0"]})";

std::unique_ptr<Worker> Spawn(const char* program = "headroom-worker-sim") {
  auto worker = Worker::Spawn({.program = program});
  EXPECT_TRUE(worker) << worker.error().what;
  return worker ? std::move(*worker) : nullptr;
}

std::string TextOf(const RunResult& result) {
  std::string text;
  for (const auto& segment : result.transcript.segments) text += segment.text + " ";
  return text;
}

class SimWorker : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = testing::TempDir() + "headroom-sim-" + std::to_string(::getpid());
    std::filesystem::create_directories(folder_);
    for (const char* weights : {"q8_0", "f16"}) {
      const std::string command = fmt::format(
          "cd '{0}' && exec \"$(./venv.sh numpy gguf)\" make_canary.py tiny {1} '{2}/{1}.gguf'",
          HEADROOM_TESTS_DIR, weights, folder_);
      auto child = Child::Spawn({.argv = {"sh", "-c", command}, .fds = {}, .environment = {}});
      ASSERT_TRUE(child) << child.error().what;
      ASSERT_TRUE(child->Wait()->ok()) << command;
    }
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

  static std::string Canary(const char* weights = "q8_0") {
    return folder_ + "/" + weights + ".gguf";
  }
  static std::string Whisper() { return Environment("HEADROOM_TEST_MODEL"); }
  // The same with windows of 8 s, for many runs: in GGUF the window is only two numbers.
  static std::string QuickWhisper() {
    const std::string path = folder_ + "/whisper-8s.gguf";
    if (std::filesystem::exists(path)) return path;
    std::string bytes = ReadFile(Whisper(), GiB(1)).value();
    const auto put = [&](const std::string& key, std::uint32_t from, std::uint32_t to) {
      const std::size_t at = bytes.find(key) + key.size() + 4;  // behind the value's type
      std::uint32_t value = 0;
      std::memcpy(&value, bytes.data() + at, sizeof value);
      EXPECT_EQ(value, from) << key;
      std::memcpy(bytes.data() + at, &to, sizeof to);
    };
    put("stt.frontend.n_samples", 480'000, 128'000);
    put("stt.frontend.nb_max_frames", 3000, 800);
    EXPECT_TRUE(WriteFileAtomic(path, bytes));
    return path;
  }

  static Result<PlanResult> Plan(const std::string& path, GpuOptions gpu, int batch = 1) {
    PlanRequest request{.path = path, .threads = kThreads, .chunks = kLengths, .batch = batch};
    if (path == QuickWhisper()) request.chunks = {Milliseconds(8000)};
    request.gpu = std::move(gpu);
    return Spawn()->Plan(request, kLong);
  }
  // The error of a run on a card with that script.
  static Error RunWith(const char* script, Milliseconds within = kLong) {
    auto worker = Spawn();
    EXPECT_TRUE(worker->Load({.path = Canary(), .threads = 1, .gpu = {.script = script}}, kLong));
    auto result = worker->Run({.language = "en", .vocabulary = {}, .prompt = {}},
                              Speech(Milliseconds(2000)), within);
    EXPECT_FALSE(result) << script;
    EXPECT_FALSE(worker->alive());
    return result ? Error{} : result.error();
  }

  static inline std::string folder_;
  RecognitionOptions request_{.language = "en", .vocabulary = {}, .prompt = {}};
};

TEST_F(SimWorker, TheTextIsTheCpuWorkers) {
  std::string texts[2];
  for (int i = 0; i < 2; ++i) {
    auto worker = Spawn(i == 0 ? "headroom-worker-cpu" : "headroom-worker-sim");
    ASSERT_TRUE(worker->Load({.path = Whisper(), .threads = kThreads}, kLong));
    texts[i] = TextOf(*worker->Run(request_, Jfk(), kLong));
  }
  EXPECT_THAT(texts[0], HasSubstr("what your country can do for you"));
  EXPECT_EQ(texts[0], texts[1]);
}

TEST_F(SimWorker, CountingGivesWhatComputingGives) {
  for (const std::string& path : {Canary("q8_0"), Canary("f16"), QuickWhisper()}) {
    for (const char* profile : {"", kCudaLike, kVulkanLike}) {
      const auto counted = Plan(path, {.counting = true, .profile = profile});
      const auto computed = Plan(path, {.counting = false, .profile = profile});
      ASSERT_TRUE(counted) << counted.error().what;
      ASSERT_TRUE(computed) << computed.error().what;
      EXPECT_EQ(ToJson(*counted), ToJson(*computed)) << path << " " << profile;
      EXPECT_GT(counted->weights, KiB(500));
      EXPECT_GT(counted->chunks[0].workspace, MiB(1));
      EXPECT_GE(counted->chunks.front().peak, counted->chunks.back().peak);
    }
  }
}

TEST_F(SimWorker, AShorterWindowOfWhisperTakesLessAndIsCountedToo) {
  PlanRequest request{.path = Whisper(), .threads = kThreads, .chunks = {kLengths[1], kLengths[2]}};
  request.gpu = {.counting = true, .profile = kVulkanLike};
  const auto counted = Spawn()->Plan(request, kLong);
  ASSERT_TRUE(counted) << counted.error().what;
  request.gpu.counting = false;
  const auto computed = Spawn()->Plan(request, kLong);
  ASSERT_TRUE(computed) << computed.error().what;
  EXPECT_EQ(ToJson(*counted), ToJson(*computed));
  EXPECT_GT(counted->chunks[0].kv, counted->chunks[1].kv);
  EXPECT_GT(counted->chunks[0].peak, counted->chunks[1].peak);
}

TEST_F(SimWorker, ProfilesMakeADifference) {
  const auto plain = Plan(Canary(), {.counting = true});
  const auto cuda = Plan(Canary(), {.counting = true, .profile = kCudaLike});
  const auto vulkan = Plan(Canary(), {.counting = true, .profile = kVulkanLike});
  EXPECT_GT(cuda->weights, plain->weights);  // rows of 64 are padded to 512
  EXPECT_NE(vulkan->chunks[0].peak, plain->chunks[0].peak);
  EXPECT_EQ(Plan(Canary(), {.profile = "nonsense"}).error().code, Errc::kInvalid);
}

TEST_F(SimWorker, BatchesAreCountedAsTheyAreComputed) {
  const auto counted = Plan(Canary(), {.counting = true}, 3);
  const auto computed = Plan(Canary(), {.counting = false}, 3);
  ASSERT_TRUE(counted) << counted.error().what;
  EXPECT_EQ(ToJson(*counted), ToJson(*computed));
  EXPECT_GE(counted->chunks[0].peak, Plan(Canary(), {.counting = true})->chunks[0].peak);
}

TEST_F(SimWorker, AHeaderWithAHoleBehindItIsEnough) {
  const std::string skeleton = folder_ + "/skeleton.gguf";
  std::string bytes = ReadFile(Canary()).value();
  const std::size_t size = bytes.size();
  bytes.resize(size - 1'200'000);  // most of the tensor data
  ASSERT_TRUE(WriteFileAtomic(skeleton, bytes));
  std::filesystem::resize_file(skeleton, size);
  EXPECT_EQ(ToJson(*Plan(skeleton, {.counting = true})),
            ToJson(*Plan(Canary(), {.counting = true})));
  EXPECT_EQ(Plan(folder_ + "/none", {.counting = true}).error().code, Errc::kNotFound);
}

TEST_F(SimWorker, AReadyModelAllocatesNothingAtAnyLengthAndBatch) {
  struct Case {
    std::string path;
    std::vector<Milliseconds> lengths;
    int batch;
    const char* profile;
    int clips;
  };
  const Case cases[] = {
      {Canary("q8_0"), {Milliseconds(30'000), Milliseconds(5000)}, 4, "", 30},
      {QuickWhisper(), {Milliseconds(8000)}, 3, "", 30},
      {Whisper(), {Milliseconds(8000), Milliseconds(1000)}, 1, "", 3},  // windows of many lengths
  };
  for (const auto& [path, lengths, most, profile, clips_of_case] : cases) {
    PlanRequest asked{.path = path, .threads = kThreads, .chunks = lengths, .batch = most};
    asked.gpu = {.counting = true, .profile = profile};
    const auto plan = Spawn()->Plan(asked, kLong);
    ASSERT_TRUE(plan) << plan.error().what;
    auto worker = Spawn();
    const auto loaded = worker->Load({.path = path,
                                      .threads = kThreads,
                                      .chunks = lengths,
                                      .batch = most,
                                      .gpu = {.profile = profile}},
                                     kLong);
    ASSERT_TRUE(loaded) << loaded.error().what;
    const WorkerStats ready = *worker->Stats(kLong);
    EXPECT_EQ(ready.device, plan->chunks[0].peak) << path << " " << profile;
    std::mt19937 random(7);
    const auto longest = static_cast<unsigned>(lengths[0].count());
    int runs = 0;
    for (int clip = 0; clip < clips_of_case; ++runs) {
      std::vector<std::vector<float>> audio;
      const int batch = 1 + runs % most;
      for (int i = 0; i < batch; ++i, ++clip)
        audio.push_back(Speech(Milliseconds(500 + random() % (longest - 499))));
      const std::vector<std::span<const float>> clips(audio.begin(), audio.end());
      if (clips.size() == 1) {
        const auto result = worker->Run(request_, clips[0], kLong);
        ASSERT_TRUE(result) << result.error().what;
      } else {
        const auto results = worker->RunBatch(request_, clips, kLong);
        ASSERT_TRUE(results) << results.error().what;
        for (const auto& one : *results) EXPECT_TRUE(one) << one.error().what;
      }
      const WorkerStats now = *worker->Stats(kLong);
      ASSERT_EQ(now.device_allocations, 0) << path << " " << profile << " batch " << clips.size();
      EXPECT_EQ(now.device, ready.device);
      EXPECT_EQ(now.device_peak, ready.device_peak);
    }
    EXPECT_GE(worker->Stats(kLong)->pool_hits, runs);
    EXPECT_EQ(worker->Stats(kLong)->runs, runs);
  }
}

TEST_F(SimWorker, ABatchHasTheTextsOfItsClips) {
  auto worker = Spawn();
  ASSERT_TRUE(worker->Load({.path = QuickWhisper(), .threads = kThreads}, kLong));
  const std::vector<float> both = Speech(Milliseconds(11'000));
  const std::span<const float> all(both);
  const std::vector<std::span<const float>> clips{all.first(60'000), all.subspan(60'000, 60'000)};
  const auto results = worker->RunBatch(request_, clips, kLong);
  ASSERT_TRUE(results) << results.error().what;
  for (std::size_t i = 0; i < clips.size(); ++i)
    EXPECT_EQ(TextOf(*(*results)[i]), TextOf(*worker->Run(request_, clips[i], kLong)));
  EXPECT_THAT(TextOf(*(*results)[0]), HasSubstr("fellow Americans"));
}

// A card that nobody else uses.
class EmptyGpu : public Readings {
 public:
  memory::Sample Take(std::span<const pid_t>, bool, MonoTime) override {
    memory::Sample sample;
    sample.ram = MiB(300);
    sample.ram_available = sample.host_total = GiB(16);
    sample.vram_total = MiB(4096);
    sample.vram_used = sample.vram_others = Bytes(0);
    return sample;
  }
};

TEST_F(SimWorker, WhatWaitsIsDecodedTogetherWithTheTextsOfOneByOne) {
  constexpr int kBatch = 2;
  const std::vector<Milliseconds> lengths{Milliseconds(3000), Milliseconds(8000)};
  const std::vector<float> said = Speech(Milliseconds(11'000));
  const std::span<const float> all(said);
  std::vector<audio::FiniteAudio> clips;
  for (const std::size_t begin : {0U, 60'000U, 116'000U, 0U}) {
    const auto clip = all.subspan(begin, 60'000);
    clips.emplace_back(std::vector<float>(clip.begin(), clip.end()));
  }

  Tier tier;
  PlanRequest asked{.path = QuickWhisper(), .threads = kThreads, .chunks = lengths};
  for (const int batch : {1, kBatch}) {
    asked.batch = batch;
    const auto counted = Spawn()->Plan(asked, kLong);
    ASSERT_TRUE(counted) << counted.error().what;
    tier.plan.weights = counted->weights + counted->session;
    tier.traits = counted->traits;
    auto& table = batch == 1 ? tier.plan.workspace : tier.plan.batched;
    for (const PlanChunk& chunk : counted->chunks)
      table.push_back({chunk.length, chunk.peak - tier.plan.weights});
  }
  tier.plan.model = "whisper";
  tier.model = QuickWhisper();
  tier.worker = "headroom-worker-sim";
  tier.device = "a-simulated-card";
  tier.threads = kThreads;

  std::vector<std::string> texts[2];
  for (const int batch : {1, kBatch}) {
    tier.plan.batch = batch;
    Tier loaded = tier;
    if (batch == 1) loaded.plan.batched.clear();
    Mutex mutex;
    CondVar ended;
    std::vector<Decoded> decoded;
    SchedulerOptions options{.tiers = {loaded}};
    options.policy.chunks = {lengths.back()};
    ClientEvents events;
    events.on_decoded = [&](Decoded one) {
      const MutexLock lock(mutex);
      decoded.push_back(std::move(one));
      ended.NotifyAll();
    };
    auto scheduler =
        Scheduler::Make(std::move(options), SchedulerEvents(), std::make_unique<EmptyGpu>(),
                        std::make_unique<WorkerRunnerMaker>(WorkerRunnerOptions{.locks = folder_}));
    ASSERT_TRUE(scheduler) << scheduler.error().what;
    const auto client = (*scheduler)->Connect(Urgency::kFile, std::move(events));
    // All of them wait until the model is there.
    for (std::size_t i = 0; i < clips.size(); ++i)
      ASSERT_TRUE(client->Submit({.id = i, .options = request_, .audio = clips[i]}));
    {
      const MutexLock lock(mutex);
      ASSERT_TRUE(ended.WaitFor(mutex, kLong, [&] { return decoded.size() == clips.size(); }));
    }
    for (std::size_t i = 0; i < clips.size(); ++i) {
      EXPECT_EQ(decoded[i].id, i);
      ASSERT_TRUE(decoded[i].result) << decoded[i].result.error().what;
      texts[batch == 1 ? 0 : 1].push_back(TextOf(*decoded[i].result));
    }
    const std::int64_t runs = static_cast<std::int64_t>(clips.size()) / batch;
    SchedulerStatus status = (*scheduler)->status();  // of the turn before, perhaps
    for (int i = 0; i < 1000 && status.worker.runs < runs; ++i) {
      std::this_thread::sleep_for(Milliseconds(10));
      status = (*scheduler)->status();
    }
    EXPECT_EQ(status.counts.runs, runs);
    EXPECT_EQ(status.worker.runs, runs);
    EXPECT_EQ(status.counts.device_allocations, 0);
    EXPECT_EQ(status.counts.worker_failures, 0);
    const memory::RunSize size(lengths.back(), batch > 1);
    EXPECT_EQ(status.worker.device, loaded.plan.Peak(size).bytes) << "as it was planned";
  }
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_THAT(texts[0][0], HasSubstr("fellow Americans"));
}

TEST_F(SimWorker, WithoutWarmingUpRunsAllocate) {
  auto worker = Spawn();
  ASSERT_TRUE(worker->Load({.path = Canary(), .threads = kThreads}, kLong));
  ASSERT_TRUE(worker->Run(request_, Speech(Milliseconds(3000)), kLong));
  EXPECT_GT(worker->Stats(kLong)->device_allocations, 0);
}

TEST_F(SimWorker, AGpuOneMebibyteTooSmallIsATypedError) {
  const Bytes needed = Plan(Canary(), {.counting = true})->chunks[0].peak;
  auto worker = Spawn();
  const auto load = [&](Bytes capacity, std::vector<Milliseconds> chunks) {
    return worker->Load({.path = Canary(),
                         .threads = kThreads,
                         .chunks = std::move(chunks),
                         .gpu = {.capacity = capacity}},
                        kLong);
  };
  EXPECT_EQ(load(needed - MiB(1), kLengths).error().code, Errc::kNoMemory);
  ASSERT_TRUE(load(needed - MiB(1), {}));
  EXPECT_EQ(worker->Run(request_, Speech(kLengths[0]), kLong).error().code, Errc::kNoMemory);
  EXPECT_TRUE(worker->Run(request_, Speech(kLengths[2]), kLong));  // and goes on
  ASSERT_TRUE(load(needed, kLengths));
  EXPECT_TRUE(worker->Run(request_, Speech(kLengths[0]), kLong));
}

TEST_F(SimWorker, ANeighbourCannotTakeWhatAReadyModelHolds) {
  const char* script = "run 1: neighbour 4GiB";
  auto worker = Spawn();
  ASSERT_TRUE(worker->Load(
      {.path = Canary(), .threads = kThreads, .chunks = kLengths, .gpu = {.script = script}},
      kLong));
  for (const Milliseconds length : kLengths)
    EXPECT_TRUE(worker->Run(request_, Speech(length), kLong));
  // Not warmed up, the first run wants more after its first graph, and there is none.
  ASSERT_TRUE(
      worker->Load({.path = Canary(), .threads = kThreads, .gpu = {.script = script}}, kLong));
  EXPECT_EQ(worker->Run(request_, Speech(kLengths[2]), kLong).error().code, Errc::kNoMemory);
  EXPECT_TRUE(worker->alive());
}

TEST_F(SimWorker, AFailedAllocationLeavesTheWorkerAlive) {
  auto worker = Spawn();
  const LoadRequest load{
      .path = Canary(), .threads = kThreads, .gpu = {.script = "allocation 1: fail"}};
  EXPECT_EQ(worker->Load(load, kLong).error().code, Errc::kNoMemory);
  EXPECT_EQ(worker->Run(request_, Speech(kLengths[2]), kLong).error().code, Errc::kInvalid);
  EXPECT_TRUE(worker->Load({.path = Canary(), .threads = kThreads}, kLong));
}

TEST_F(SimWorker, DeviceErrorsEndTheWorkerWithTheDriversWords) {
  for (const auto& [script, words] :
       {std::pair{"run 1: error 2", "CUDA error: out of memory"},
        std::pair{"run 1: error 700", "CUDA error: an illegal memory access was encountered"},
        std::pair{"run 1: error 719", "CUDA error: unspecified launch failure"},
        std::pair{"run 1: error 999", "CUDA error: unknown error"}}) {
    const Error error = RunWith(script);
    EXPECT_EQ(error.code, Errc::kWorkerLost);
    EXPECT_THAT(error.what, HasSubstr("killed by signal 6"));
    EXPECT_THAT(error.what, HasSubstr(words));
  }
}

TEST_F(SimWorker, DyingAndHangingAreNoticed) {
  const Error died = RunWith("run 1: die");
  EXPECT_EQ(died.code, Errc::kWorkerLost);
  EXPECT_THAT(died.what, HasSubstr("killed by signal 9"));
  EXPECT_EQ(RunWith("run 1: hang", Milliseconds(500)).code, Errc::kTimeout);
}

TEST_F(SimWorker, ASlowGpuIsSlowAndCanBeCancelled) {
  auto worker = Spawn();
  ASSERT_TRUE(
      worker->Load({.path = Canary(), .threads = 1, .gpu = {.script = "run 1: slow 60ms"}}, kLong));
  CancelToken cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(Milliseconds(200));
    cancel.Raise();
  });
  const auto result = worker->Run(request_, Speech(Milliseconds(2000)), kLong, &cancel);
  canceller.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::kCancelled);
  EXPECT_TRUE(worker->alive()) << "it stops between two computations";
}

TEST_F(SimWorker, ScriptsThatMakeNoSenseAreRefused) {
  EXPECT_EQ(
      Spawn()->Load({.path = Canary(), .gpu = {.script = "run 1: dance"}}, kLong).error().code,
      Errc::kInvalid);
}

TEST_F(SimWorker, OnlyTheSimulatedCardPlans) {
  EXPECT_EQ(Spawn("headroom-worker-cpu")->Plan({.path = Canary()}, kLong).error().code,
            Errc::kUnsupported);
}

}  // namespace
}  // namespace headroom::asr
