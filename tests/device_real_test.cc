// A worker of a real card (HEADROOM_TEST_WORKER, else headroom-worker-vulkan) beside the counting
// card and the CPU: the bytes that were counted are the bytes that it takes, its texts and tensors
// are the CPU's, nothing is allocated once a model is ready, and a killed one is replaced.
// Where there is no card, tests/vulkan.sh runs it on software Vulkan. Needs HEADROOM_TEST_MODEL
// (whisper-tiny.en F16) and HEADROOM_TEST_ENGINE.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "asr/client/worker.h"
#include "base/child.h"
#include "base/dirs.h"
#include "base/file.h"
#include "jfk.h"

namespace headroom::asr {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr Milliseconds kLong{600'000};
// Short: software Vulkan computes a second of audio in about a second, and compiles for longer.
const std::vector<Milliseconds> kLengths{Milliseconds(6000), Milliseconds(2000)};

std::string Device() {
  const std::string named = Environment("HEADROOM_TEST_WORKER");
  return named.empty() ? "headroom-worker-vulkan" : named;
}

std::unique_ptr<Worker> Spawn(const std::string& program = Device()) {
  auto worker = Worker::Spawn({.program = program, .start_within = kLong});
  EXPECT_TRUE(worker) << worker.error().what;
  return worker ? std::move(*worker) : nullptr;
}

std::string TextOf(const RunResult& result) {
  std::string text;
  for (const auto& segment : result.transcript.segments) text += segment.text + " ";
  return text;
}

// The names and values of the tensors that the engine wrote into a folder.
std::map<std::string, std::vector<float>> Tensors(const fs::path& folder) {
  std::map<std::string, std::vector<float>> tensors;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".f32") continue;
    const std::string bytes = ReadFile(entry.path(), GiB(1)).value();
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
    tensors[entry.path().stem()] = std::move(values);
  }
  return tensors;
}

// How far b is from a, relative to how large a is.
double Distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    size += std::pow(a[i], 2);
  }
  return std::sqrt(difference / std::max(size, 1e-12));
}

class DeviceWorker : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = testing::TempDir() + "headroom-device-" + std::to_string(::getpid());
    fs::create_directories(folder_);
    std::string commands = fmt::format(
        "set -e; '{}' --record-profile >'{}/profile'; cd '{}'; "
        "python=$(./venv.sh numpy gguf); ",
        FindProgram(Device()).value().native(), folder_, HEADROOM_TESTS_DIR);
    for (const char* weights : {"f16", "q8_0"})
      commands += fmt::format("$python make_canary.py tiny {0} '{1}/{0}.gguf'; ", weights, folder_);
    auto child = Child::Spawn({.argv = {"bash", "-c", commands}, .fds = {}, .environment = {}});
    ASSERT_TRUE(child) << child.error().what;
    ASSERT_TRUE(child->Wait()->ok()) << commands;
    profile_ = ReadFile(folder_ + "/profile").value();
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }

  static std::string Canary(const char* weights) { return folder_ + "/" + weights + ".gguf"; }
  static std::string Whisper() { return Environment("HEADROOM_TEST_MODEL"); }

  static Result<PlanResult> Plan(const std::string& path, std::vector<Milliseconds> chunks) {
    PlanRequest request{.path = path, .threads = 1, .chunks = std::move(chunks)};
    request.gpu = {.capacity = GiB(64), .counting = true, .profile = profile_};
    return Spawn("headroom-worker-sim")->Plan(request, kLong);
  }

  static std::map<std::string, std::vector<float>> DumpOf(const std::string& program,
                                                          const std::string& model) {
    const std::string folder = folder_ + "/dump-" + program;
    fs::remove_all(folder);
    fs::create_directories(folder);
    ::setenv("TRANSCRIBE_DUMP_DIR", folder.c_str(), 1);
    auto worker = Spawn(program);
    ::unsetenv("TRANSCRIBE_DUMP_DIR");
    EXPECT_TRUE(worker->Load({.path = model, .threads = 1}, kLong));
    EXPECT_TRUE(worker->Run(RecognitionOptions{.language = "en", .vocabulary = {}, .prompt = {}},
                            Speech(kLengths[1]), kLong));
    return Tensors(folder);
  }

  static inline std::string folder_, profile_;
  RecognitionOptions request_{.language = "en", .vocabulary = {}, .prompt = {}};
};

TEST_F(DeviceWorker, BuffersAreThePlanToTheByte) {
  auto worker = Spawn();
  for (const std::string& path : {Canary("f16"), Canary("q8_0"), Whisper()}) {
    const auto plan = Plan(path, kLengths);
    ASSERT_TRUE(plan) << plan.error().what;
    ASSERT_TRUE(worker->Load({.path = path, .threads = 1}, kLong));
    EXPECT_EQ(worker->Stats(kLong)->device, plan->weights + plan->session) << path;
    const auto loaded = worker->Load({.path = path, .threads = 1, .chunks = kLengths}, kLong);
    ASSERT_TRUE(loaded) << loaded.error().what;
    const WorkerStats ready = *worker->Stats(kLong);
    fmt::print("{}: planned {} B, allocated {} B\n", fs::path(path).filename().native(),
               plan->chunks[0].peak.n, ready.device.n);
    EXPECT_EQ(ready.device, plan->chunks[0].peak) << path;
  }
}

TEST_F(DeviceWorker, AReadyModelAllocatesNothing) {
  auto worker = Spawn();
  for (const std::string& path : {Canary("q8_0"), Whisper()}) {
    const int runs = path == Whisper() ? 3 : 20;
    const auto loaded = worker->Load({.path = path, .threads = 1, .chunks = kLengths}, kLong);
    ASSERT_TRUE(loaded) << loaded.error().what;
    const WorkerStats ready = *worker->Stats(kLong);
    std::mt19937 random(7);
    for (int run = 0; run < runs; ++run) {
      const auto length = 500 + random() % (static_cast<unsigned>(kLengths[0].count()) - 499);
      const auto result = worker->Run(request_, Speech(Milliseconds(length)), kLong);
      ASSERT_TRUE(result) << result.error().what;
      const WorkerStats now = *worker->Stats(kLong);
      ASSERT_EQ(now.device_allocations, 0) << path << " " << length << " ms";
      EXPECT_EQ(now.device, ready.device);
      EXPECT_EQ(now.device_peak, ready.device_peak);
    }
  }
}

TEST_F(DeviceWorker, TheTextIsTheCpuWorkers) {
  std::string texts[2];
  for (int i = 0; i < 2; ++i) {
    auto worker = Spawn(i == 0 ? "headroom-worker-cpu" : Device());
    ASSERT_TRUE(worker->Load({.path = Whisper(), .threads = 1}, kLong));
    const auto result = worker->Run(request_, Jfk(), kLong);
    ASSERT_TRUE(result) << result.error().what;
    texts[i] = TextOf(*result);
  }
  EXPECT_THAT(texts[0], HasSubstr("what your country can do for you"));
  EXPECT_EQ(texts[0], texts[1]);
}

TEST_F(DeviceWorker, TheTensorsAreTheCpuWorkers) {
  const std::pair<const char*, double> cases[] = {{"f16", 1e-2}, {"q8_0", 3e-2}};
  for (const auto& [weights, tolerance] : cases) {
    const auto cpu = DumpOf("headroom-worker-cpu", Canary(weights));
    const auto device = DumpOf(Device(), Canary(weights));
    ASSERT_FALSE(cpu.empty()) << "the engine wrote no tensors";
    double worst = 0;
    for (const auto& [name, values] : cpu) {
      ASSERT_TRUE(device.contains(name)) << name;
      if (device.at(name).size() != values.size()) continue;  // tokens, which may be fewer
      const double distance = Distance(values, device.at(name));
      EXPECT_LT(distance, tolerance) << weights << " " << name;
      worst = std::max(worst, distance);
    }
    fmt::print("{}: {} tensors, the farthest {:.2e} from the CPU's\n", weights, cpu.size(), worst);
  }
}

TEST_F(DeviceWorker, AKilledOneIsReplaced) {
  auto worker = Spawn();
  const LoadRequest load{.path = Canary("q8_0"), .threads = 1};
  ASSERT_TRUE(worker->Load(load, kLong));
  const auto speech = Speech(kLengths[0]);
  const std::string before = TextOf(*worker->Run(request_, speech, kLong));
  std::thread killer([pid = worker->pid()] {
    std::this_thread::sleep_for(Milliseconds(30));
    ::kill(pid, SIGKILL);
  });
  Result<RunResult> result = worker->Run(request_, speech, kLong);
  while (result) result = worker->Run(request_, speech, kLong);
  killer.join();
  EXPECT_EQ(result.error().code, Errc::kWorkerLost);
  EXPECT_THAT(result.error().what, HasSubstr("killed by signal 9"));
  EXPECT_FALSE(worker->alive());
  worker = Spawn();
  ASSERT_TRUE(worker->Load(load, kLong));
  EXPECT_EQ(TextOf(*worker->Run(request_, speech, kLong)), before);
}

TEST_F(DeviceWorker, ADeviceThatIsNotThereIsSaid) {
  const auto loaded = Spawn()->Load({.path = Canary("f16"), .gpu = {.device = "Vulkan99"}}, kLong);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Errc::kNotFound);
  EXPECT_THAT(loaded.error().what, HasSubstr("Vulkan99"));
}

}  // namespace
}  // namespace headroom::asr
