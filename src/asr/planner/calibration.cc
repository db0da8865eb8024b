#include "asr/planner/calibration.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "asr/client/worker.h"
#include "asr/planner/worker_devices.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/sha256.h"

namespace headroom::planner {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFormat = 1;
constexpr Bytes kLargestEntry = KiB(64);
constexpr Milliseconds kProfileWithin{60'000};
constexpr Milliseconds kStartWithin{60'000};
constexpr Milliseconds kRunWithin{600'000};

std::string Text(const CalibrationKey& key) {
  return json{{"format", kFormat},
              {"engine", HEADROOM_ENGINE_KEY},
              {"device", key.device},
              {"driver", key.driver},
              {"backend", key.backend}}
      .dump();
}

fs::path PathOf(const CalibrationKey& key, const fs::path& folder) {
  Sha256 name;
  const std::string text = Text(key);
  name.Add(std::as_bytes(std::span(text)));
  return folder / (name.Finish().substr(0, 32) + ".json");
}

// Noise at speech's level: the memory that a run takes does not depend on the words.
std::vector<float> Noise(Milliseconds length) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> level(-0.1F, 0.1F);
  std::vector<float> samples(static_cast<std::size_t>(length.count()) * 16);
  std::ranges::generate(samples, [&] { return level(random); });
  return samples;
}

class Measurement {
 public:
  Measurement(const CalibrationRequest& request, const ReadGpuUse& read)
      : request_(request), read_(read), before_(read(-1)) {}

  Result<Calibration> Make() {
    Calibration made{.key = request_.key, .model = request_.model.filename().native()};
    made.chunk = *std::ranges::max_element(request_.chunks);
    TRY_ASSIGN(made.profile, AskWorker(request_.key.backend,
                                       {"--record-profile", request_.key.device}, kProfileWithin));
    TRY_ASSIGN(worker_,
               asr::Worker::Spawn({.program = request_.key.backend, .start_within = kStartWithin}));
    asr::LoadRequest load{.path = fs::absolute(request_.model).native()};
    load.gpu.device = request_.key.device;
    const Milliseconds within = asr::LoadDeadline(request_.model) + kRunWithin;
    TRY(worker_->Load(load, within));
    TRY_ASSIGN(made.context, Beside(made));
    load.chunks = request_.chunks;
    TRY(worker_->Load(load, within));
    for (int round = 0; round < 2; ++round) {
      for (const Milliseconds length : request_.chunks)
        TRY(worker_->Run({.language = {}, .vocabulary = {}, .prompt = {}}, Noise(length),
                         kRunWithin));
    }
    TRY_ASSIGN(const Bytes after, Beside(made));
    made.growth = std::max(Bytes(0), after - made.context);
    TRY_ASSIGN(const asr::WorkerStats stats, worker_->Stats(kStartWithin));
    made.buffers = stats.device;
    made.allocations = stats.device_allocations;
    TRY(worker_->Stop(kStartWithin));
    return made;
  }

 private:
  // What is in use now beside the engine's buffers.
  Result<Bytes> Beside(Calibration& made) {
    TRY_ASSIGN(const asr::WorkerStats stats, worker_->Stats(kStartWithin));
    const std::optional<GpuUse> use = read_(worker_->pid());
    made.of_gpu = use && (use->own || before_);
    if (!made.of_gpu) return std::max(Bytes(0), stats.rss - stats.device);
    const Bytes before = use->own ? Bytes(0) : before_->used;
    return std::max(Bytes(0), use->used - before - stats.device);
  }

  const CalibrationRequest& request_;
  const ReadGpuUse& read_;
  const std::optional<GpuUse> before_;
  std::unique_ptr<asr::Worker> worker_;
};

}  // namespace

Result<Calibration> Calibrate(const CalibrationRequest& request, const ReadGpuUse& read) {
  auto made = Measurement(request, read).Make();
  if (!made) return Within(made, "calibrate {}", request.key.device);
  return made;
}

fs::path CalibrationFolder() {
  return CacheDir() / "calibration";
}

std::optional<Calibration> FindCalibration(const CalibrationKey& key, const fs::path& folder) {
  const auto text = ReadFile(PathOf(key, folder), kLargestEntry);
  if (!text) return std::nullopt;
  const json entry = json::parse(*text, nullptr, false);
  if (!entry.is_object() || entry.value("key", json()) != Text(key)) return std::nullopt;
  const auto number = [&](const char* member) {
    const auto found = entry.find(member);
    return found != entry.end() && found->is_number_unsigned() && *found < (std::uint64_t{1} << 50)
               ? std::optional(found->get<std::int64_t>())
               : std::nullopt;
  };
  const auto context = number("context"), growth = number("growth"), buffers = number("buffers");
  const auto chunk = number("chunk"), allocations = number("allocations");
  const json profile = entry.value("profile", json()), model = entry.value("model", json()),
             of_gpu = entry.value("of_card", json());
  if (!context || !growth || !buffers || !chunk || !allocations || !profile.is_string() ||
      !model.is_string() || !of_gpu.is_boolean())
    return std::nullopt;
  return Calibration{.key = key,
                     .profile = profile,
                     .model = model,
                     .chunk = Milliseconds(*chunk),
                     .context = Bytes(*context),
                     .growth = Bytes(*growth),
                     .of_gpu = of_gpu,
                     .buffers = Bytes(*buffers),
                     .allocations = *allocations};
}

Result<> KeepCalibration(const Calibration& of, const fs::path& folder) {
  TRY(MakeDirectories(folder));
  const json entry = {
      {"key", Text(of.key)},       {"profile", of.profile},   {"model", of.model},
      {"chunk", of.chunk.count()}, {"context", of.context.n}, {"growth", of.growth.n},
      {"of_card", of.of_gpu},      {"buffers", of.buffers.n}, {"allocations", of.allocations}};
  return WriteFileAtomic(PathOf(of.key, folder),
                         entry.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

}  // namespace headroom::planner
