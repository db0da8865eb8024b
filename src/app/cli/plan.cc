// headroom plan: computes how much GPU memory a model needs, before it is loaded or downloaded.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/plan_show.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "asr/planner/gpu.h"
#include "observe/probe/device_probe.h"

namespace headroom::cli {
namespace {

using models::Store;
using nlohmann::json;
using planner::PlanMaker;

struct Options {
  std::string model, chunk = "30s", gpu, others = "0", driver, device;
  int batch = 1;
  bool all = false, json = false, fresh = false;
};

constexpr const char* kUsualGpu = "4096MiB";
constexpr Milliseconds kDeviceWithin{5'000};  // the driver may have to load
constexpr double kLongestSeconds = 600;       // of one run
constexpr int kMostAtOnce = 64;
constexpr std::size_t kMostAlternatives = 3;  // per kind

// "30s", "7.5", "250ms"
Result<Milliseconds> ParseChunk(const std::string& text) {
  std::size_t used = 0;
  double value = 0;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  const std::string unit = text.substr(used);
  if (unit == "ms") value /= 1000;
  if (used == 0 || (unit != "" && unit != "s" && unit != "ms") || !(value >= 0.1) ||
      value > kLongestSeconds)
    return Fail(Errc::kInvalid, "--chunk {}: must be a length of audio from 0.1s to {:g}s", text,
                kLongestSeconds);
  return Milliseconds(std::llround(value * 1000));
}

// Finds the GPU that --device names; nullopt without one.
Result<std::optional<planner::Gpu>> FindDevice(const std::string& device) {
  if (device.empty()) return std::nullopt;
  probe::DeviceProbe devices({});
  auto gpu = planner::FindGpu(devices, kDeviceWithin, device == "auto" ? "" : device);
  if (!gpu)
    return Fail(Errc::kNotFound,
                "--device {}: no such GPU, or no worker for it is installed; "
                "headroom doctor says what is missing",
                device);
  return gpu;
}

Result<memory::Room> ParseRoom(const Options& options, const std::optional<planner::Gpu>& device) {
  const std::string size = !options.gpu.empty() ? options.gpu : kUsualGpu;
  auto gpu = ParseBytes(size);
  if (!gpu) return Within(gpu, "--card {}", size);
  if (device && options.gpu.empty()) gpu = device->total;
  auto others = ParseBytes(options.others);
  if (!others) return Within(others, "--others {}", options.others);
  if (*gpu < MiB(1)) return Fail(Errc::kInvalid, "--card {}: must be at least 1 MiB", size);
  if (*others > *gpu)
    return Fail(Errc::kInvalid, "--others {}: more than the GPU has", options.others);
  return memory::Room{.total = *gpu, .others = *others, .host = {}};
}

Result<PlanSettings> ParseSettings(const Options& options, const memory::Room& room,
                                   const std::optional<planner::Gpu>& device) {
  PlanSettings settings;
  if (device && device->calibration) {
    settings.driver = device->calibration->driver();
    settings.profile = device->calibration->profile;
    settings.calibrated = options.driver.empty();
  }
  TRY_ASSIGN(settings.chunk, ParseChunk(options.chunk));
  if (options.batch < 1 || options.batch > kMostAtOnce)
    return Fail(Errc::kInvalid, "--batch {}: must be 1 to {}", options.batch, kMostAtOnce);
  settings.batch = options.batch;
  settings.gpu = room.total;
  settings.cached = !options.fresh;
  if (!options.driver.empty()) {
    auto driver = ParseBytes(options.driver);
    if (!driver) return Within(driver, "--driver {}", options.driver);
    if (*driver < Bytes(0) || *driver > room.total)
      return Fail(Errc::kInvalid, "--driver {}: must be from 0 to the GPU's memory",
                  options.driver);
    settings.driver = *driver;
  }
  settings.chunks = {settings.chunk};
  if (!options.all)
    for (const int seconds : {5, 15, 30}) settings.chunks.emplace_back(seconds * 1000);
  std::ranges::sort(settings.chunks);
  const auto again = std::ranges::unique(settings.chunks);
  settings.chunks.erase(again.begin(), again.end());
  return settings;
}

JudgedPlan Judge(MadePlan made, const PlanSettings& settings, const memory::Room& room) {
  memory::FitResult fit = memory::Judge(made.plan, settings.chunk, room);
  return {std::move(made), std::move(fit)};
}

std::string Dump(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace);
}

json GpuJson(const PlanSettings& settings, const memory::Room& room) {
  return {{"bytes", room.total.n}, {"others", room.others.n}, {"batch", settings.batch}};
}

// The requested chunk length and all shorter ones.
std::vector<Milliseconds> ChunksUpTo(Milliseconds chunk) {
  std::vector<Milliseconds> chunks{chunk};
  for (const Milliseconds one : memory::kChunks)
    if (one < chunk) chunks.push_back(one);
  return chunks;
}

// Plans the alternatives on all cores: only those whose size may fit, the best few of each kind.
// Shorter audio is planned only where everything but the workspace fits.
Result<std::vector<memory::Option>> PlanOptions(const Store& store, const PlanMaker& maker,
                                                const PlanTarget& asked, const memory::Room& room,
                                                PlanMaker::WorkerSlot worker) {
  std::vector<PlanTarget> sorts[2];  // smaller quantisations, other models
  for (PlanTarget& target : PlanAlternatives(store, asked))
    if (target.size + room.others <= room.total)
      sorts[target.spec.name != asked.spec.name].push_back(std::move(target));
  PlanSettings settings = maker.settings();
  settings.chunks = {settings.chunk};
  TRY_ASSIGN(const PlanMaker one_chunk, PlanMaker::Make(settings));
  settings.chunks = ChunksUpTo(settings.chunk);
  std::ranges::reverse(settings.chunks);
  TRY_ASSIGN(const PlanMaker all_chunks, PlanMaker::Make(settings));

  std::size_t tried[2] = {}, fitting[2] = {};
  std::vector<memory::Option> options;
  while (true) {
    std::vector<PlanTarget> next;
    for (const std::size_t sort : {0, 1})
      for (std::size_t i = fitting[sort]; i < kMostAlternatives; ++i)
        if (tried[sort] < sorts[sort].size()) next.push_back(sorts[sort][tried[sort]++]);
    if (next.empty()) return options;
    for (Result<MadePlan>& made : one_chunk.PlanAll(next, std::exchange(worker, nullptr))) {
      if (!made) continue;  // no plan, no advice
      auto numbers = memory::Measure(made->plan, settings.chunk, room);
      if (numbers.fit == memory::Fit::kUnsafe &&
          numbers.resident_percent <= memory::FitRules{}.marginal) {
        made = all_chunks.Plan(made->target);
        if (!made) continue;
        numbers = memory::Measure(made->plan, settings.chunks.front(), room);
      }
      if (numbers.fit == memory::Fit::kUnsafe) continue;
      ++fitting[made->target.spec.name != asked.spec.name];
      options.push_back({std::move(made->plan), room});
    }
  }
}

Result<std::vector<memory::Advice>> AdviceFor(const Store& store, const PlanMaker& maker,
                                              const JudgedPlan& asked, const memory::Room& room,
                                              PlanMaker::WorkerSlot worker) {
  TRY_ASSIGN(const auto options,
             PlanOptions(store, maker, asked.made.target, room, std::move(worker)));
  return memory::Advise({asked.made.plan, room}, options, {}, ChunksUpTo(maker.settings().chunk));
}

Result<int> PlanOne(const Store& store, const PlanMaker& maker, const Options& options,
                    const memory::Room& room) {
  TRY_ASSIGN(const PlanTarget target, planner::FindPlanTarget(store, options.model));
  PlanMaker::WorkerSlot worker;
  TRY_ASSIGN(MadePlan made, maker.Plan(target, worker));
  const JudgedPlan judged = Judge(std::move(made), maker.settings(), room);
  std::vector<memory::Advice> advice;
  if (judged.fit.fit != memory::Fit::kSafe) {
    TRY_ASSIGN(advice, AdviceFor(store, maker, judged, room, std::move(worker)));
  }
  std::erase_if(advice, [](const auto& one) { return one.way == memory::Way::kAsAsked; });
  if (!options.json) {
    fmt::print("{}", ShowPlan(judged, maker.settings(), room, advice));
    return kOk;
  }
  json value = PlanJson(judged, maker.settings());
  value["card"] = GpuJson(maker.settings(), room);
  value["advice"] = json::array();
  for (const memory::Advice& one : advice)
    value["advice"].push_back({{"text", one.text},
                               {"chunk_seconds", static_cast<double>(one.chunk.count()) / 1000},
                               {"fit", Name(one.fit.fit)}});
  fmt::print("{}\n", Dump(value));
  return kOk;
}

Result<int> PlanCatalogue(const Store& store, const PlanMaker& maker, const Options& options,
                          const memory::Room& room) {
  const std::vector<PlanTarget> targets = planner::AllPlanTargets(store);
  std::vector<Result<JudgedPlan>> plans;
  std::size_t failed = 0;
  for (Result<MadePlan>& made : maker.PlanAll(targets)) {
    if (made) {
      plans.emplace_back(Judge(std::move(*made), maker.settings(), room));
    } else {
      plans.emplace_back(Fail(std::move(made.error())));
      ++failed;
    }
  }
  // When every plan failed, report the error instead of a table.
  const auto counted =
      static_cast<std::size_t>(std::ranges::count_if(targets, [](const PlanTarget& target) {
        return target.source != planner::PlanSource::kSize;
      }));
  const auto first = std::ranges::find_if(plans, [](const auto& one) { return !one; });
  if (failed > 0 && failed == counted) return Fail(std::move(first->error()));
  if (!options.json) {
    fmt::print("{}", ShowAll(targets, plans, maker.settings(), room));
  } else {
    json value = {{"card", GpuJson(maker.settings(), room)}, {"plans", json::array()}};
    for (std::size_t i = 0; i < plans.size(); ++i) {
      if (plans[i]) {
        value["plans"].push_back(PlanJson(*plans[i], maker.settings()));
      } else {
        value["plans"].push_back({{"model", targets[i].spec.name},
                                  {"quantisation", targets[i].spec.quantisation},
                                  {"error", plans[i].error().what}});
      }
    }
    fmt::print("{}\n", Dump(value));
  }
  return failed == 0 ? kOk : kIncomplete;
}

Result<int> Run(const Options& options) {
  if (options.all == !options.model.empty())
    return Fail(Errc::kInvalid, "plan: give either MODEL or --all");
  TRY_ASSIGN(const std::optional<planner::Gpu> device, FindDevice(options.device));
  TRY_ASSIGN(const memory::Room room, ParseRoom(options, device));
  TRY_ASSIGN(PlanSettings settings, ParseSettings(options, room, device));
  TRY_ASSIGN(const Store store, Store::Open());
  TRY_ASSIGN(const PlanMaker maker, PlanMaker::Make(std::move(settings)));
  return options.all ? PlanCatalogue(store, maker, options, room)
                     : PlanOne(store, maker, options, room);
}

}  // namespace

void AddPlan(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  Parser plan = app.Add(
      "plan", "Compute how much GPU memory a model needs and whether it fits, without loading it.");
  plan.AddOption("MODEL", options->model, "NAME, NAME:QUANTISATION or the path of a model file");
  plan.AddFlag("--all", options->all, "All models and quantisations in the catalogue");
  plan.AddOption("--chunk", options->chunk, "Longest audio per run; default: 30s");
  plan.AddOption("--card", options->gpu, "Memory of the GPU; default: 4096MiB");
  plan.AddOption("--device", options->device,
                 "GPU of this machine, by PCI address, or auto; uses its memory and its "
                 "calibration if there is one");
  plan.AddOption("--others", options->others, "GPU memory that other programs use; default: 0");
  plan.AddOption("--driver", options->driver,
                 "GPU memory that the driver takes, as you measured it (estimate: 240MiB)");
  plan.AddOption("--batch", options->batch, "Utterances per run; default: 1");
  plan.AddFlag("--json", options->json, "Print JSON");
  plan.AddFlag("--no-cache", options->fresh, "Neither read nor write the cache of plans");
  plan.Footer("What each number means and how exact it is: docs/memory.md.");
  plan.OnChosen(Runs(chosen, options, Run));
}

}  // namespace headroom::cli
