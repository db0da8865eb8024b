// headroom calibrate: measures once how much memory a GPU's driver takes; every plan uses it.
#include <poll.h>

#include <algorithm>
#include <memory>

#include "app/cli/command.h"
#include "app/cli/daemon_client.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "asr/client/device_lock.h"
#include "asr/planner/calibration.h"
#include "asr/planner/cpu_order.h"
#include "asr/planner/gpu.h"
#include "asr/planner/gpu_backends.h"
#include "asr/planner/worker_devices.h"
#include "models/store/store.h"
#include "observe/probe/device_probe.h"

namespace headroom::cli {
namespace {

using planner::Calibration;
using planner::GpuUse;

constexpr Milliseconds kDevicesWithin{60'000};
constexpr Milliseconds kGpuWithin{3'000};

struct Options {
  std::string device, worker, model;
  std::vector<int> seconds;
  bool json = false;
};

struct Target {
  std::string worker;
  planner::WorkerDevice device;
};

// The device that the options name, else the first device of the first worker that has one.
Result<Target> FindTarget(const Options& options) {
  std::vector<std::string> programs;
  if (!options.worker.empty())
    programs = {options.worker};
  else
    for (const planner::GpuBackend& backend : planner::GpuBackends())
      programs.emplace_back(backend.worker);
  Error last{Errc::kNotFound,
             "this installation has no GPU worker; headroom doctor says what is missing"};
  for (const std::string& program : programs) {
    auto devices = planner::AskDevices(program, kDevicesWithin);
    if (!devices) {
      if (devices.error().code != Errc::kNotFound || !options.worker.empty())
        last = std::move(devices.error());
      continue;
    }
    for (planner::WorkerDevice& device : *devices) {
      if (options.device.empty() || options.device == device.key() || options.device == device.name)
        return Target{program, std::move(device)};
    }
    last = {Errc::kNotFound, options.device.empty()
                                 ? program + " found no GPU; headroom doctor says what is missing"
                                 : fmt::format("{} has no device {}", program, options.device)};
  }
  return Fail(std::move(last));
}

// The GPU as the probe sees it; a GPU that the probe does not know has no numbers.
class GpuReader {
 public:
  explicit GpuReader(std::string pci) : pci_(std::move(pci)) {}

  std::optional<probe::Device> Read(std::span<const pid_t> workers) {
    if (pci_.empty()) return std::nullopt;
    constexpr Milliseconds kLook{100};
    probe::DeviceReport report;
    // The first answer waits for the driver's library to load; ask until one is fresh.
    for (Milliseconds waited{0}; waited < kGpuWithin; waited += kLook) {
      report = probe_.Ask(workers, false);
      if (report.state == probe::ProbeState::kFresh) break;
      ::poll(nullptr, 0, static_cast<int>(kLook.count()));
    }
    const auto found = std::ranges::find(report.devices, pci_, &probe::Device::pci);
    if (report.state != probe::ProbeState::kFresh || found == report.devices.end())
      return std::nullopt;
    return *found;
  }

  std::optional<GpuUse> Use(pid_t worker) {
    const auto device = Read(std::span(&worker, worker < 0 ? 0 : 1));
    if (!device) return std::nullopt;
    for (const probe::DeviceUse& use : device->processes)
      if (use.pid == worker && use.used) return GpuUse{.used = *use.used, .own = true};
    if (!device->used) return std::nullopt;
    return GpuUse{.used = *device->used, .own = false};
  }

 private:
  const std::string pci_;
  probe::DeviceProbe probe_{{}};
};

void Show(const Calibration& made, const planner::WorkerDevice& device) {
  const std::string where = made.of_gpu ? "read from the GPU" : "the worker's own memory";
  fmt::print("{} with {}, driver {}\n", device.description, made.key.backend,
             made.key.driver.empty() ? "unknown" : made.key.driver);
  fmt::print("  driver      {} ({})\n", FormatBinary(made.driver()), where);
  fmt::print("    at load   {}\n    by running {} s of audio {}\n", FormatBinary(made.context),
             made.chunk.count() / 1000, FormatBinary(made.growth));
  fmt::print("  buffers     {} of {}, {} allocations while running\n", FormatBinary(made.buffers),
             made.model, made.allocations);
}

Result<int> Run(const Options& options) {
  TRY_ASSIGN(const Target target, FindTarget(options));
  TRY_ASSIGN(const auto store, models::Store::Open());
  planner::CalibrationRequest request;
  TRY_ASSIGN(request.model, options.model.empty() ? store.ResolveDefault(planner::FastestOnCpu())
                                                  : store.Resolve(options.model));
  for (const int seconds : options.seconds) request.chunks.emplace_back(seconds * 1000);
  if (request.chunks.empty()) request.chunks = {Milliseconds(30'000), Milliseconds(5000)};
  auto lock = asr::TryDeviceLock(target.device.key());
  if (!lock)
    return Fail(Error(lock.error())
                    .Within("calibrate: another Headroom program is using the GPU; try: "
                            "headroom yield -- headroom calibrate"));
  GpuReader reader(target.device.pci);
  request.key = {.device = target.device.key(), .driver = "", .backend = target.worker};
  if (const auto gpu = reader.Read({})) request.key.driver = gpu->driver;
  TRY_ASSIGN(const Calibration made,
             planner::Calibrate(request, [&](pid_t worker) { return reader.Use(worker); }));
  TRY(planner::KeepCalibration(made));
  if (options.json)
    PrintJson({{"device", made.key.device},
               {"name", target.device.description},
               {"driver_version", made.key.driver},
               {"worker", made.key.backend},
               {"model", made.model},
               {"chunk_seconds", static_cast<double>(made.chunk.count()) / 1000},
               {"context", made.context.n},
               {"growth", made.growth.n},
               {"driver", made.driver().n},
               {"of_card", made.of_gpu},
               {"buffers", made.buffers.n},
               {"allocations", made.allocations}});
  else
    Show(made, target.device);
  return kOk;
}

}  // namespace

void AddCalibrate(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  Parser calibrate =
      app.Add("calibrate", "Measure how much memory a GPU's driver takes, once for all plans.");
  calibrate.AddOption("--device", options->device,
                      "GPU, by PCI address or by the worker's name for it");
  calibrate.AddOption("--worker", options->worker,
                      "Worker program; default: the first that finds a GPU");
  calibrate.AddOption("--model", options->model, "Model to load; default: the default model");
  calibrate.AddOption("--chunk", options->seconds, "Seconds of audio per run; default: 30 and 5")
      .InRange(1, 600);
  calibrate.AddFlag("--json", options->json, "Print JSON");
  calibrate.Footer("What is measured, and where it is kept: docs/gpu.md.");
  calibrate.OnChosen(Runs(chosen, options, Run));
}

}  // namespace headroom::cli
