// headroom governor replay: shows what the governor would have done with a recorded trace.
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/command.h"
#include "app/cli/governor_record.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/text.h"
#include "base/toml.h"
#include "memory/replay.h"
#include "memory/settings.h"
#include "observe/record/reader.h"

namespace headroom::cli {
namespace {

using nlohmann::json;

// Reads the [memory] table, or the top level where there is none, so a configuration file works
// too.
Result<memory::Thresholds> ReadThresholds(const std::string& path) {
  TRY_ASSIGN(const std::string text, ReadFile(path, MiB(1)));
  TRY_ASSIGN(const toml::table file, ParseToml(text, path));
  std::vector<memory::Setting> settings;
  const toml::table* section = file["memory"].as_table();
  for (const auto& [key, node] : section ? *section : file) {
    memory::Setting setting{std::string(key.str()), 0.0};
    if (const auto number = node.value_exact<double>()) {
      setting.value = *number;
    } else if (const auto whole = node.value_exact<std::int64_t>()) {
      setting.value = static_cast<double>(*whole);
    } else if (const auto words = node.value_exact<std::string>()) {
      setting.value = *words;
    } else {
      return Fail(Errc::kInvalid, "{}:{}: {}: must be a number or a text such as \"2GB\"", path,
                  node.source().begin.line, Printable(key.str()));
    }
    settings.push_back(std::move(setting));
  }
  Result<memory::Thresholds> thresholds = memory::ThresholdsFrom(settings);
  if (!thresholds) return Within(thresholds, "{}", path);
  return thresholds;
}

std::string ClockText(Milliseconds at) {
  const auto seconds = at.count() / 1000;
  return fmt::format("{:02}:{:02}:{:02}.{}", seconds / 3600, seconds / 60 % 60, seconds % 60,
                     at.count() % 1000 / 100);
}

std::string What(const memory::ReplayEvent& event) {
  const memory::Action& action = event.action;
  switch (action.kind) {
    case memory::ActionKind::kZone:
      return fmt::format("{} {} -> {}", Name(action.gauge), Name(action.from), Name(action.to));
    case memory::ActionKind::kNotify:
      return fmt::format("tell ({} {})", Name(action.gauge), Name(action.to));
    case memory::ActionKind::kLoad:
    case memory::ActionKind::kEndWorker:
    case memory::ActionKind::kQuarantine:
    case memory::ActionKind::kCorrectPlan:
      return fmt::format("{} [{}]", Name(action.kind), event.target);
    default:
      return std::string(Name(action.kind));
  }
}

json EventJson(const memory::ReplayEvent& event) {
  const memory::Action& action = event.action;
  json value = {{"time_s", static_cast<double>(event.at.count()) / 1000},
                {"action", Name(action.kind)},
                {"reason", action.reason}};
  if (action.kind == memory::ActionKind::kZone || action.kind == memory::ActionKind::kNotify) {
    value["gauge"] = Name(action.gauge);
    if (action.kind == memory::ActionKind::kZone) value["from"] = Name(action.from);
    value["to"] = Name(action.to);
  }
  if (!event.target.empty()) value["target"] = event.target;
  return value;
}

json ReplayJson(const memory::Replay& replay, const memory::Trace& trace) {
  json value = {{"rows", trace.rows.size()}, {"bad_rows", trace.bad_rows},
                {"bad", trace.bad},          {"unknown_columns", trace.unknown_columns},
                {"start", replay.start},     {"events", json::array()},
                {"seconds", json::object()}};
  for (const memory::ReplayEvent& event : replay.events)
    value["events"].push_back(EventJson(event));
  for (std::size_t g = 0; g < memory::kGauges; ++g) {
    for (std::size_t z = 0; z < 4; ++z)
      value["seconds"][std::string(Name(static_cast<memory::Gauge>(g)))]
           [std::string(Name(static_cast<memory::Zone>(z)))] =
               static_cast<double>(replay.time[g][z].count()) / 1000;
  }
  return value;
}

void Print(const memory::Replay& replay) {
  if (!replay.start.empty()) fmt::print("{}\n\n", replay.start);
  for (const memory::ReplayEvent& event : replay.events)
    fmt::print("{}  {}: {}\n", ClockText(event.at), What(event), event.action.reason);
  fmt::print("\n{:<10}", "TIME IN");
  for (std::size_t z = 0; z < 4; ++z) fmt::print(" {:>20}", Name(static_cast<memory::Zone>(z)));
  fmt::print("\n");
  for (std::size_t g = 0; g < memory::kGauges; ++g) {
    Milliseconds known{};
    for (const Milliseconds time : replay.time[g]) known += time;
    if (known.count() == 0) continue;
    fmt::print("{:<10}", Name(static_cast<memory::Gauge>(g)));
    for (const Milliseconds time : replay.time[g]) {
      const double share =
          100 * static_cast<double>(time.count()) / static_cast<double>(known.count());
      fmt::print(" {:>20}", fmt::format("{} {:6.2f} %", ClockText(time), share));
    }
    fmt::print("\n");
  }
}

struct Options {
  std::string trace, gpu, thresholds, last;
  bool json = false;
};

Result<memory::Trace> ReadTrace(const std::string& path) {
  TRY_ASSIGN(const std::string text, ReadFile(path, MiB(256)));
  Result<memory::Trace> trace = memory::ParseTrace(text);
  if (!trace) {
    auto error = Within(trace, "{}", path).error();
    error.code = Errc::kCorrupt;  // the file, not the command line
    return Fail(std::move(error));
  }
  return trace;
}

// Reads a flight record, or only its newest `last`. Times count from its first sample.
Result<memory::Trace> ReadRecord(const std::string& path, const std::string& last) {
  record::ReadOptions range;
  if (!last.empty()) {
    auto length = ParseDuration(last);
    if (!length) return Within(length, "--last {}", last);
    range.from = SystemClock().WallNow() - *length;
  }
  TRY_ASSIGN(const auto reader, record::Reader::Open({path}, range));
  auto trace = TraceFrom(*reader);
  if (!trace) return Within(trace, "{}", path);
  for (const std::string& damage : reader->damage()) Note(fmt::format("{}: {}", path, damage));
  if (trace->rows.empty())
    return Fail(Errc::kNotFound, "{}: no samples{}", path,
                last.empty() ? "" : fmt::format(" in the last {}", last));
  return trace;
}

Result<int> Replay(const Options& options) {
  memory::Policy policy;
  policy.tiers = memory::ExampleTiers();
  if (!options.thresholds.empty()) {
    TRY_ASSIGN(policy.thresholds, ReadThresholds(options.thresholds));
  }
  std::optional<Bytes> size;
  if (!options.gpu.empty()) {
    TRY_ASSIGN(size, ParseBytes(options.gpu));
    if (size->n == 0) return Fail(Errc::kInvalid, "--card: must be more than 0");
  }
  const std::string path = !options.trace.empty() ? options.trace : record::DefaultPath().native();
  const bool recorded = options.trace.empty() || record::IsFlightRecord(path);
  if (!recorded && !options.last.empty())
    return Fail(Errc::kInvalid, "--last works on flight records only; {} is not one", path);
  auto trace = recorded ? ReadRecord(path, options.last) : ReadTrace(path);
  if (!trace) return Fail(std::move(trace.error()));
  for (const std::string& column : trace->unknown_columns)
    Note(fmt::format("{}: unknown column {} ignored", path, column));
  for (const std::string& bad : trace->bad) Note(fmt::format("{}: {}", path, bad));
  if (trace->bad_rows > 0)
    Note(fmt::format("{}: skipped {} of {} rows", path, trace->bad_rows,
                     trace->bad_rows + trace->rows.size()));
  if (trace->rows.empty()) return Fail(Errc::kCorrupt, "{}: no usable rows", path);
  TRY_ASSIGN(const memory::Replay replay, memory::ReplayTrace(*trace, policy, size));
  if (options.json)
    fmt::print("{}\n",
               ReplayJson(replay, *trace).dump(2, ' ', false, json::error_handler_t::replace));
  else
    Print(replay);
  return trace->bad_rows > 0 ? kIncomplete : kOk;
}

}  // namespace

void AddGovernor(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  Parser governor = app.Add("governor", "Show how the governor reacts to memory pressure.");
  governor.RequireCommand();
  governor.Footer("Zones, rules and trace columns: docs/memory.md.");
  Parser replay = governor.Add(
      "replay",
      "Run a recorded trace through the governor and print zones and actions with times.");
  replay.AddOption("TRACE", options->trace,
                   "Flight record, or CSV with a header (columns: docs/memory.md); default: the "
                   "service's flight record");
  replay.AddOption("--card", options->gpu,
                   "Memory of the GPU if the trace has no vram_total_mib (e.g. 4096MiB)");
  replay.AddOption("--thresholds", options->thresholds,
                   "TOML file with other thresholds, e.g. vram_warning = 60");
  replay.AddOption("--last", options->last, "Only the newest part of a flight record, e.g. 24h");
  replay.AddFlag("--json", options->json, "Print JSON");
  replay.OnChosen(Runs(chosen, options, Replay));
}

}  // namespace headroom::cli
