// headroom plan: what a model would take of a card, before it is loaded or even downloaded.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/plan_show.h"
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
constexpr Milliseconds kDeviceWithin{5'000};  // for a driver that is being loaded
constexpr double kLongestSeconds = 600;       // what one run may carry
constexpr int kMostAtOnce = 64;
constexpr std::size_t kMostAlternatives = 3;  // of each sort

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
    return Fail(Errc::kInvalid, "--chunk {}: a length of audio from 0.1s to {:g}s is wanted", text,
                kLongestSeconds);
  return Milliseconds(std::llround(value * 1000));
}

// The card of this machine that was named.
Result<std::optional<planner::Gpu>> FindDevice(const std::string& device) {
  if (device.empty()) return std::nullopt;
  probe::DeviceProbe devices({});
  auto gpu = planner::FindGpu(devices, kDeviceWithin, device == "auto" ? "" : device);
  if (!gpu)
    return Fail(Errc::kNotFound,
                "--device {}: there is no such card that this installation has a worker for; "
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
  if (*gpu < MiB(1)) return Fail(Errc::kInvalid, "--card {}: a card has at least 1 MiB", size);
  if (*others > *gpu)
    return Fail(Errc::kInvalid, "--others {}: more than the card has", options.others);
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
    return Fail(Errc::kInvalid, "--batch {}: 1 to {}", options.batch, kMostAtOnce);
  settings.batch = options.batch;
  settings.gpu = room.total;
  settings.cached = !options.fresh;
  if (!options.driver.empty()) {
    auto driver = ParseBytes(options.driver);
    if (!driver) return Within(driver, "--driver {}", options.driver);
    if (*driver < Bytes(0) || *driver > room.total)
      return Fail(Errc::kInvalid, "--driver {}: from 0 to what the card has", options.driver);
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

// What is asked for, or shorter.
std::vector<Milliseconds> ChunksUpTo(Milliseconds chunk) {
  std::vector<Milliseconds> chunks{chunk};
  for (const Milliseconds one : memory::kChunks)
    if (one < chunk) chunks.push_back(one);
  return chunks;
}

// Plans what could be used instead, on every core: only what may fit by its size, the best few of
// each sort. Shorter audio is planned only for what fits but for its workspace.
Result<std::vector<memory::Option>> PlanOptions(const Store& store, const PlanMaker& maker,
                                                const PlanTarget& asked, const memory::Room& room,
                                                PlanMaker::WorkerSlot worker) {
  std::vector<PlanTarget> sorts[2];  // smaller quantisations, other models
  for (PlanTarget& target : PlanAlternatives(store, asked))
    if (target.size + room.others <= room.total)
      sorts[target.spec.name != asked.spec.name].push_back(std::move(target));
  PlanSettings settings = maker.settings();
  settings.chunks = {settings.chunk};
  TRY_ASSIGN(const PlanMaker quick, PlanMaker::Make(settings));
  settings.chunks = ChunksUpTo(settings.chunk);
  std::ranges::reverse(settings.chunks);
  TRY_ASSIGN(const PlanMaker thorough, PlanMaker::Make(settings));

  std::size_t tried[2] = {}, fitting[2] = {};
  std::vector<memory::Option> options;
  while (true) {
    std::vector<PlanTarget> next;
    for (const std::size_t sort : {0, 1})
      for (std::size_t i = fitting[sort]; i < kMostAlternatives; ++i)
        if (tried[sort] < sorts[sort].size()) next.push_back(sorts[sort][tried[sort]++]);
    if (next.empty()) return options;
    for (Result<MadePlan>& made : quick.PlanAll(next, std::exchange(worker, nullptr))) {
      if (!made) continue;  // advice that cannot be given is none
      auto numbers = memory::Measure(made->plan, settings.chunk, room);
      if (numbers.fit == memory::Fit::kUnsafe &&
          numbers.resident_percent <= memory::FitRules{}.marginal) {
        made = thorough.Plan(made->target);
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
  // When nothing could be counted that is the error, not a table of it.
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
    return Fail(Errc::kInvalid, "plan: either a MODEL or --all");
  TRY_ASSIGN(const std::optional<planner::Gpu> device, FindDevice(options.device));
  TRY_ASSIGN(const memory::Room room, ParseRoom(options, device));
  TRY_ASSIGN(PlanSettings settings, ParseSettings(options, room, device));
  TRY_ASSIGN(const Store store, Store::Open());
  TRY_ASSIGN(const PlanMaker maker, PlanMaker::Make(std::move(settings)));
  return options.all ? PlanCatalogue(store, maker, options, room)
                     : PlanOne(store, maker, options, room);
}

}  // namespace

void AddPlan(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  CLI::App* plan = app.add_subcommand(
      "plan", "Say what a model would take of a card, and whether it fits, without loading it.");
  plan->add_option("MODEL", options->model, "A name, name:quantisation, or the path of a file");
  plan->add_flag("--all", options->all, "Every model and quantisation of the catalogue");
  plan->add_option("--chunk", options->chunk, "Longest audio at once (30s)");
  plan->add_option("--card", options->gpu, "The card's memory (4096MiB)");
  plan->add_option("--device", options->device,
                   "A card of this machine, by its PCI address or auto: its memory, and its "
                   "calibration if there is one");
  plan->add_option("--others", options->others, "What other programs use of it (0)");
  plan->add_option("--driver", options->driver,
                   "What its driver holds besides, as you measured it (estimated: 240MiB)");
  plan->add_option("--batch", options->batch, "Utterances at once (1)");
  plan->add_flag("--json", options->json, "For programs");
  plan->add_flag("--no-cache", options->fresh, "Count again, and keep nothing");
  plan->footer("What each number is and how exact: docs/memory.md.");
  plan->callback([=, &chosen] {
    chosen = [=] {
      const Result<int> code = Run(*options);
      return code ? *code : Complain(code.error());
    };
  });
}

}  // namespace headroom::cli
