#include "asr/planner/plan_maker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "base/dirs.h"
#include "base/sha256.h"
#include "models/formats/gguf.h"
#include "models/formats/skeleton.h"

namespace headroom::planner {
namespace {

namespace fs = std::filesystem;
using asr::PlanChunk;
using asr::PlanResult;

constexpr const char* kWorker = "headroom-worker-sim";
constexpr Milliseconds kStartWithin{10'000};
constexpr Milliseconds kPlanWithin{60'000};
constexpr std::size_t kUnparsedHeader = 1 << 20;  // whisper.cpp .bin: what is hashed of it

// What a driver holds besides our buffers (context, kernels, libraries, pools), until a calibration
// on the GPU says better. The incident bounds it: 91 % of 4096 MiB were in use with 3395 MiB of
// weights loaded, so everything else, KV and other processes too, took 332 MiB.
constexpr Bytes kDriver = MiB(240);
constexpr Bytes kDriverMargin = MiB(64);

// What a worker takes of the computer besides the engine's buffers: code, vocabulary, spectrogram,
// graphs. Measured: 18 to 20 MiB for Whisper, see docs/memory.md.
constexpr Bytes kProcess = MiB(32);

// For models whose shapes are not known: what canary-1b-flash takes, the widest encoder that runs
// over all of its audio. Smaller models take less.
constexpr Bytes kEstimatedWorkspacePerSecond = KiB(10'445);
constexpr Bytes kEstimatedKv = MiB(24);
constexpr Bytes kEstimatedHost = MiB(32);

Result<std::string> Sum(const fs::path& file, std::size_t bytes) {
  TRY_ASSIGN(const Fd fd, Open(file.native(), O_RDONLY));
  std::vector<std::byte> head(bytes);
  TRY_ASSIGN(const std::size_t n, ReadFullAt(fd.get(), head, 0));
  Sha256 sum;
  sum.Add(std::span(head).first(n));
  return sum.Finish();
}

// Also refuses a damaged or cut file before a worker is started for it.
Result<std::string> HeaderSum(const fs::path& file) {
  TRY_ASSIGN(const auto source, models::FileSource::Open(file));
  std::array<std::byte, 4> magic{};
  if (source.size() >= 4) TRY(source.ReadAt(0, magic));
  if (std::memcmp(magic.data(), models::kGgufMagic.data(), 4) != 0)
    return Sum(file, kUnparsedHeader);
  TRY_ASSIGN(const models::GgufHeader header, models::ReadGgufHeader(source));
  return Sum(file, static_cast<std::size_t>(header.data_offset));
}

/// A temporary file that goes with this object.
class Temporary {
 public:
  static Result<Temporary> Make() {
    std::string path = (fs::temp_directory_path() / "headroom-plan-XXXXXX").native();
    const Fd fd(::mkostemp(path.data(), O_CLOEXEC));
    if (!fd) return FailErrno(errno, "make {}", path);
    return Temporary(path);
  }
  explicit Temporary(fs::path path) : path_(std::move(path)) {}
  Temporary(Temporary&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Temporary& operator=(Temporary&&) = delete;
  ~Temporary() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

PlanResult Estimate(const PlanTarget& target, const PlanSettings& settings) {
  PlanResult plan;
  plan.weights = target.size;
  plan.host = kEstimatedHost;
  for (const Milliseconds chunk : settings.chunks) {
    PlanChunk row;
    row.length = chunk;
    row.kv = Bytes(kEstimatedKv.n * settings.batch);
    row.workspace = Bytes(kEstimatedWorkspacePerSecond.n * chunk.count() / 1000 * settings.batch);
    row.peak = plan.weights + row.kv + row.workspace;
    plan.chunks.push_back(row);
  }
  plan.kv = plan.chunks.back().kv;
  return plan;
}

// Peaks stay those that were counted: a shorter chunk's smaller KV is taken off its workspace.
memory::Plan ToMemory(const PlanTarget& target, const PlanResult& counted,
                      const PlanSettings& settings) {
  memory::Plan plan;
  plan.model = target.spec.name;
  plan.quantisation = target.spec.quantisation;
  plan.device = "a discrete GPU";
  plan.weights = counted.weights;
  plan.driver = settings.driver.value_or(kDriver);
  plan.margin = kDriverMargin;
  plan.host = counted.host + kProcess;
  plan.exact = target.source != PlanSource::kSize;
  const auto chosen = std::ranges::find(counted.chunks, settings.chunk, &PlanChunk::length);
  plan.kv = counted.session + (chosen == counted.chunks.end() ? counted.kv : chosen->kv);
  Bytes least;
  for (const PlanChunk& chunk : counted.chunks) {
    least = std::max(least, chunk.peak - counted.weights - plan.kv);
    plan.workspace.push_back({.chunk = chunk.length, .bytes = least});
  }
  return plan;
}

}  // namespace

memory::Plan OnCpu(memory::Plan plan, const PlanResult& counted) {
  plan.kind = memory::DeviceKind::kCpu;
  plan.device = "cpu";
  plan.driver = plan.margin = Bytes(0);
  plan.weights += counted.cpu_copies;
  return plan;
}

PlanMaker::PlanMaker(PlanSettings settings, fs::path worker, std::string engine)
    : settings_(std::move(settings)),
      worker_(std::move(worker)),
      engine_(std::move(engine)),
      cache_(CacheDir() / "plans") {}

Result<PlanMaker> PlanMaker::Make(PlanSettings settings) {
  auto worker = FindProgram(kWorker);
  if (!worker) return Within(worker, "plan");
  struct stat status{};
  if (::stat(worker->c_str(), &status) != 0) return FailErrno(errno, "{}", worker->native());
  // A new build of the worker may count differently.
  std::string engine = fmt::format("{} {} {}.{}", HEADROOM_ENGINE_KEY, status.st_size,
                                   status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  return PlanMaker(std::move(settings), std::move(*worker), std::move(engine));
}

Result<PlanResult> PlanMaker::Ask(const fs::path& file, WorkerSlot& worker) const {
  if (!worker) {
    TRY_ASSIGN(worker,
               asr::Worker::Spawn({.program = worker_.native(), .start_within = kStartWithin}));
  }
  asr::PlanRequest request{.path = file.native(),
                           .chunks = settings_.chunks,
                           .batch = settings_.batch,
                           .cpu = settings_.cpu};
  request.gpu.capacity = settings_.gpu;
  request.gpu.profile = settings_.profile;
  auto plan = worker->Plan(request, kPlanWithin);
  if (!plan) worker.reset();
  return plan;
}

Result<PlanResult> PlanMaker::Count(const PlanTarget& target, WorkerSlot& worker,
                                    bool& from_cache) const {
  asr::PlanKey key{.header = {},
                   .size = target.size,
                   .mtime = 0,
                   .engine = engine_,
                   .profile = {},
                   .chunks = settings_.chunks,
                   .batch = settings_.batch,
                   .cpu = settings_.cpu};
  if (!settings_.profile.empty()) {
    Sha256 profile;
    profile.Add(std::as_bytes(std::span(settings_.profile)));
    key.profile = profile.Finish();
  }
  models::Skeleton skeleton;
  if (target.source == PlanSource::kFile) {
    TRY_ASSIGN(key.header, HeaderSum(target.file));
    struct stat status{};
    if (::stat(target.file.c_str(), &status) != 0)
      return FailErrno(errno, "{}", target.file.native());
    key.mtime = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
  } else {
    TRY_ASSIGN(skeleton, models::MakeSkeleton(target.spec.name, target.spec.quantisation));
    Sha256 sum;
    sum.Add(std::as_bytes(std::span(skeleton.header)));
    key.header = sum.Finish();
    key.size = skeleton.size;
  }
  if (settings_.cached) {
    if (auto found = cache_.Find(key)) {
      from_cache = true;
      return std::move(*found);
    }
  }
  const auto asked = [&]() -> Result<PlanResult> {
    if (target.source == PlanSource::kFile) return Ask(target.file, worker);
    TRY_ASSIGN(const Temporary file, Temporary::Make());
    TRY(models::WriteSkeleton(skeleton, file.path()));
    return Ask(file.path(), worker);
  };
  TRY_ASSIGN(PlanResult plan, asked());
  if (settings_.cached) cache_.Store(key, plan);
  return plan;
}

Result<MadePlan> PlanMaker::Plan(const PlanTarget& target) const {
  WorkerSlot worker;
  return Plan(target, worker);
}

Result<MadePlan> PlanMaker::Plan(const PlanTarget& target, WorkerSlot& worker) const {
  MadePlan made;
  made.target = target;
  if (target.source == PlanSource::kSize) {
    made.counted = Estimate(target, settings_);
  } else {
    auto counted = Count(target, worker, made.from_cache);
    if (!counted) return Within(counted, "plan {}", models::ToString(target.spec));
    made.counted = std::move(*counted);
  }
  made.plan = ToMemory(target, made.counted, settings_);
  if (auto valid = memory::Validate(made.plan); !valid)
    return Within(valid, "plan {}", models::ToString(target.spec));
  return made;
}

std::vector<Result<MadePlan>> PlanMaker::PlanAll(const std::vector<PlanTarget>& targets,
                                                 WorkerSlot worker) const {
  std::vector<std::optional<Result<MadePlan>>> made(targets.size());
  std::atomic<std::size_t> next = 0;
  {
    std::vector<std::jthread> threads;
    const std::size_t most = std::max(1U, std::thread::hardware_concurrency());
    for (std::size_t i = 0; i < std::min(most, targets.size()); ++i)
      threads.emplace_back([&, own = std::exchange(worker, nullptr)]() mutable {
        for (std::size_t at = next++; at < targets.size(); at = next++)
          made[at] = Plan(targets[at], own);
      });
  }
  std::vector<Result<MadePlan>> all;
  for (auto& one : made) all.push_back(std::move(*one));
  return all;
}

}  // namespace headroom::planner
