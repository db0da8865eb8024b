// What bench/gpu.sh measures on a card, as a log in Markdown.
//
//   bench_gpu --worker=PROGRAM --canary=FILE --whisper=FILE --parts=FOLDER [--device=NAME]
//             [--room=MIB] [--utterances=N] [--chunk=SECONDS] [--pretend=FOLDER]
//
// FOLDER has bench_ballast and driver_ledger.so. --pretend: there is no card that has numbers; they
// come from NVIDIA's library as tests have it, in that folder, so that every step can be tried.
#include <unistd.h>

#include <algorithm>
#include <map>
#include <random>

#include "asr/planner/plan_maker.h"
#include "asr/planner/worker_devices.h"
#include "faults.h"
#include "jfk.h"
#include "push.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

constexpr Milliseconds kLong{600'000}, kDevicesWithin{120'000};
// Random weights speak until the model's last position.
constexpr Milliseconds kSpeakAtMost{120'000};
constexpr double kMayDiffer = 0.03;
constexpr const char* kPretended = "0000:01:00.0";

struct Options {
  std::string worker, device, canary, whisper, parts, pretend;
  Bytes room = MiB(4096);
  int utterances = 100;
  Milliseconds chunk{30'000};

  bool cuda() const { return worker.ends_with("cuda"); }
};

double Seconds(MonoTime begin) {
  return std::chrono::duration<double>(SystemClock().Now() - begin).count();
}

std::string Percent(Bytes measured, Bytes planned) {
  return fmt::format("{:+.2f} %", 100.0 * static_cast<double>((measured - planned).n) /
                                      static_cast<double>(std::max<std::int64_t>(planned.n, 1)));
}

bool Near(Bytes measured, Bytes planned) {
  return static_cast<double>(std::abs((measured - planned).n)) <=
         kMayDiffer * static_cast<double>(planned.n);
}

class Bench {
 public:
  Bench(Options options, planner::WorkerDevice device, Preload preload)
      : options_(std::move(options)),
        device_(std::move(device)),
        preload_(std::move(preload)),
        reader_(device_.pci, ProbeOptions()) {}

  void Go() {
    const auto gpu = reader_.Read();
    log_.Say("## {}, {}\n", device_.description, options_.worker);
    log_.Say("- driver: {}; total {} MiB; address: {}",
             gpu && !gpu->driver.empty() ? gpu->driver : "not known", Mebi(device_.total),
             device_.pci.empty() ? "the driver does not say" : device_.pci);
    if (!options_.pretend.empty())
      log_.Say("- **the card's numbers are pretended: a trial of this program, of no card**");
    else if (!gpu)
      log_.Say(
          "- the probe cannot read this card, so what lies beside the engine's buffers is not "
          "seen");
    TakeTheRest(gpu);
    if (auto calibrated = Calibrate(); !calibrated) return End("calibrate", calibrated.error());
    for (const std::string& model : {options_.canary, options_.whisper})
      if (auto measured = Measure(model); !measured) log_.Failed(model, measured.error());
    InjectFaults(
        {.worker = options_.worker, .cuda = options_.cuda(), .load = LoadOf(options_.whisper)},
        preload_, log_);
    if (gpu)
      PushAndBack(*gpu);
    else
      log_.Say("\nNo neighbour was pushed: without the card's numbers nobody sees it.");
    End();
  }

  const Log& log() const { return log_; }

 private:
  void End(const std::string& step = "", const Error& error = {}) {
    if (!step.empty()) log_.Failed(step, error);
    log_.Say("\n{}{}",
             log_.wrong().empty() ? "Everything as it should be." : "Not as it should be:",
             log_.wrong());
  }

  probe::DeviceProbeOptions ProbeOptions() const {
    probe::DeviceProbeOptions how;
    if (options_.pretend.empty()) return how;
    how.arguments = {"--root=" + options_.pretend + "/root",
                     "--nvml=" + options_.pretend + "/libnvidia-ml.so"};
    how.environment = {{"HEADROOM_FAKE_NVML", options_.pretend + "/script"}};
    return how;
  }

  asr::LoadRequest LoadOf(const std::string& model) const {
    asr::LoadRequest load{.path = fs::absolute(model).native()};
    if (!options_.pretend.empty()) load.threads = 1;  // on the processor, ggml waits by spinning
    load.gpu.device = device_.key();
    load.chunks = Chunks();
    return load;
  }
  std::vector<Milliseconds> Chunks() const { return {options_.chunk, options_.chunk / 6}; }

  // A card of the room: others have the rest of it.
  void TakeTheRest(const std::optional<GpuNow>& gpu) {
    const std::string name = options_.cuda() && !device_.pci.empty() ? device_.pci : "0";
    auto neighbour = Neighbour::Make(options_.parts + "/bench_ballast",
                                     options_.cuda() ? "cuda" : "vulkan", name);
    if (!neighbour) return log_.Failed("ballast", neighbour.error());
    neighbour_.emplace(std::move(*neighbour));
    const bool real = gpu && options_.pretend.empty() && neighbour_->free() > Bytes(0);
    const auto moved = real ? neighbour_->Leave(options_.room) : neighbour_->Hold(MiB(256));
    if (!moved) return log_.Failed("ballast", moved.error());
    log_.Say("- ballast: {} MiB; free: {}", Mebi(neighbour_->held()),
             real ? Mebi(neighbour_->free()) + " MiB" : "the driver does not say");
    if (!real && options_.pretend.empty()) options_.room = device_.total;
  }

  Result<> Calibrate() {
    planner::CalibrationRequest request;
    request.model = options_.canary;
    request.chunks = Chunks();
    request.key = {.device = device_.key(), .driver = "", .backend = options_.worker};
    if (const auto gpu = reader_.Read()) request.key.driver = gpu->driver;
    const MonoTime begin = SystemClock().Now();
    TRY_ASSIGN(calibration_,
               planner::Calibrate(request, [&](pid_t worker) -> std::optional<planner::GpuUse> {
                 const auto now = reader_.Read(worker);
                 if (!now) return std::nullopt;
                 return planner::GpuUse{.used = now->own.value_or(now->used),
                                        .own = now->own.has_value()};
               }));
    TRY(planner::KeepCalibration(calibration_));
    log_.Say("- calibrated in {:.1f} s: at load {} MiB, by running {} MiB ({}), {} allocations\n",
             Seconds(begin), Mebi(calibration_.context), Mebi(calibration_.growth),
             calibration_.of_gpu ? "of the card" : "the worker's own memory",
             calibration_.allocations);
    return {};
  }

  Result<planner::MadePlan> Plan(const std::string& model) {
    planner::PlanSettings settings;
    settings.chunks = Chunks();
    std::ranges::sort(settings.chunks);
    settings.chunk = settings.chunks.back();
    settings.gpu = options_.room;
    settings.driver = calibration_.of_gpu ? calibration_.driver() : Bytes(0);
    settings.profile = calibration_.profile;
    TRY_ASSIGN(const auto maker, planner::PlanMaker::Make(settings));
    planner::PlanTarget target;
    target.spec = {fs::path(model).stem(), ""};
    target.file = fs::absolute(model);
    target.size = Bytes(static_cast<std::int64_t>(fs::file_size(target.file)));
    target.source = planner::PlanSource::kFile;
    return maker.Plan(target);
  }

  // What our worker has of the card: told by the driver, else what is more than before; without
  // numbers of the card, the engine's buffers.
  Bytes Use(const std::optional<GpuNow>& now, const std::optional<GpuNow>& before,
            Bytes buffers) const {
    if (!now || !options_.pretend.empty()) return buffers;
    if (now->own) return *now->own;
    return now->used - (before ? before->used : Bytes(0));
  }

  Result<> Measure(const std::string& model) {
    log_.Say("### {}\n", fs::path(model).stem().native());
    TRY_ASSIGN(const planner::MadePlan made, Plan(model));
    const auto before = reader_.Read();
    TRY_ASSIGN(auto worker, preload_.Spawn(options_.worker));
    const MonoTime begin = SystemClock().Now();
    TRY(worker->Load(LoadOf(model), kLong));
    const double load = Seconds(begin);
    TRY_ASSIGN(const asr::WorkerStats ready, worker->Stats(kLong));
    const auto resident = reader_.Read(worker->pid());
    const auto allocated = preload_.allocations();
    Watch watch(reader_, worker->pid());
    TRY(SpeakAll(*worker));
    const auto most = watch.Stop();
    const auto after = reader_.Read(worker->pid());
    TRY_ASSIGN(const asr::WorkerStats end, worker->Stats(kLong));

    const auto longest = std::ranges::max_element(made.counted.chunks, {}, &asr::PlanChunk::length);
    const Bytes buffers = longest->peak, planned = buffers + (made.plan.driver);
    log_.Say("| | planned | measured | |\n|---|---|---|---|");
    const auto row = [&](const char* what, Bytes plan, Bytes seen) {
      log_.Say("| {} | {} MiB | {} MiB | {} |", what, Mebi(plan), Mebi(seen), Percent(seen, plan));
    };
    const Bytes is_resident = Use(resident, before, ready.device);
    const Bytes peak = Use(most, before, end.device_peak);
    row("the engine's buffers", buffers, ready.device);
    row("resident on the card", planned, is_resident);
    row("the most while speaking", planned, peak);
    row("after speaking", planned, Use(after, before, end.device));
    log_.Say("\n- loaded and warmed up in {:.1f} s; {} utterances of {:.1f} to {:.0f} s", load,
             spoken_, 0.5, Seconds(options_.chunk));
    log_.Check(Near(is_resident, planned) && Near(peak, planned), "within 3 % of the plan");
    log_.Check(preload_.ledger().hooked > 0, fmt::format("{} of the driver's functions are watched",
                                                         preload_.ledger().hooked.load()));
    log_.Check(preload_.allocations() == allocated && end.device_allocations == 0,
               fmt::format("0 allocations while speaking ({} of the driver before, {} after; {} by "
                           "the engine)",
                           allocated, preload_.allocations(), end.device_allocations));
    TRY(Latency(*worker));
    return {};
  }
  static double Seconds(Milliseconds length) { return static_cast<double>(length.count()) / 1000; }
  static double Seconds(MonoTime begin) { return headroom::Seconds(begin); }

  Result<asr::RunResult> Run(asr::Worker& worker, Milliseconds length) {
    return worker.Run({.language = "en", .vocabulary = {}, .prompt = {}}, asr::Speech(length),
                      kLong);
  }

  Result<> SpeakAll(asr::Worker& worker) {
    std::mt19937 random(7);
    const auto most = static_cast<unsigned>(options_.chunk.count());
    const MonoTime begin = SystemClock().Now();
    spoken_ = 0;
    for (; spoken_ < options_.utterances && SystemClock().Now() - begin < kSpeakAtMost; ++spoken_)
      TRY(Run(worker, Milliseconds(500 + random() % (most - 499))));
    return {};
  }

  Result<> Latency(asr::Worker& worker) {
    constexpr int kTimes = 3;
    log_.Say("\n| audio | median of {} | real-time factor |\n|---|---|---|", kTimes);
    for (const int seconds : {3, 7, 15, 30}) {
      const Milliseconds length(seconds * 1000);
      if (length > options_.chunk) break;
      std::vector<double> took;
      for (int i = 0; i < kTimes; ++i) {
        const MonoTime begin = SystemClock().Now();
        TRY(Run(worker, length));
        took.push_back(Seconds(begin));
      }
      std::ranges::sort(took);
      log_.Say("| {} s | {:.3f} s | {:.4f} |", seconds, took[1], took[1] / seconds);
    }
    log_.Say("");
    return {};
  }

  void PushAndBack(const GpuNow& gpu) {
    PushOptions push;
    push.gpu = {.device = device_.key(),
                .name = device_.description,
                .total = options_.room,
                .worker = options_.worker,
                .calibration = calibration_};
    push.model = options_.whisper;
    push.chunks = {options_.chunk, options_.chunk / 2};
    push.real_total = options_.pretend.empty() ? gpu.total : options_.room;
    push.probe = ProbeOptions();
    push.leave = [this](Bytes free, Bytes ours) -> Result<> {
      if (options_.pretend.empty()) return neighbour_->Leave(free);
      const Bytes others = options_.room - free;
      return WriteFileAtomic(options_.pretend + "/script",
                             fmt::format("card {} {} {}\n", kPretended, options_.room.n,
                                         std::min(options_.room, others + ours).n));
    };
    Push(push, log_);
  }

  Options options_;
  planner::WorkerDevice device_;
  Preload preload_;
  GpuReader reader_;
  planner::Calibration calibration_;
  std::optional<Neighbour> neighbour_;
  int spoken_ = 0;  // of the utterances asked for
  Log log_;
};

Result<planner::WorkerDevice> Find(const Options& options) {
  TRY_ASSIGN(auto devices, planner::AskDevices(options.worker, kDevicesWithin));
  for (planner::WorkerDevice& device : devices)
    if (options.device.empty() || options.device == device.name || options.device == device.pci)
      return std::move(device);
  return Fail(Errc::kNotFound, "{} finds no such device", options.worker);
}

Result<int> Main(const std::map<std::string, std::string>& given) {
  Options options;
  for (const auto& [name, value] : given) {
    const std::pair<const char*, std::string*> texts[] = {
        {"--worker", &options.worker}, {"--device", &options.device},
        {"--canary", &options.canary}, {"--whisper", &options.whisper},
        {"--parts", &options.parts},   {"--pretend", &options.pretend}};
    const auto* text =
        std::ranges::find(texts, name, [](const auto& one) { return std::string(one.first); });
    if (text != std::end(texts))
      *text->second = value;
    else if (name == "--room")
      options.room = MiB(std::stoll(value));
    else if (name == "--utterances")
      options.utterances = std::stoi(value);
    else if (name == "--chunk")
      options.chunk = Milliseconds(1000 * std::stoll(value));
    else
      return Fail(Errc::kInvalid, "{}: not known; the head of bench/card/gpu.cc says what is",
                  name);
  }
  TRY_ASSIGN(auto device, Find(options));
  if (!options.pretend.empty()) device.pci = kPretended;
  TRY_ASSIGN(auto preload,
             Preload::Make(options.parts + "/driver_ledger.so", fs::temp_directory_path()));
  Bench bench(std::move(options), std::move(device), std::move(preload));
  bench.Go();
  return bench.log().wrong().empty() ? 0 : 1;
}

}  // namespace
}  // namespace headroom

int main(int argc, char** argv) {
  std::map<std::string, std::string> given;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto at = word.find('=');
    given[word.substr(0, at)] = at == std::string::npos ? "" : word.substr(at + 1);
  }
  const auto code = headroom::Main(given);
  if (code) return *code;
  fmt::print(stderr, "bench_gpu: {}\n", code.error().what);
  return 2;
}
