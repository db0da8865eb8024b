#include "app/cli/plan_show.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace headroom::cli {
namespace {

using memory::FitNumbers;
using memory::Room;

constexpr int kCells = 40;

double Seconds(Milliseconds time) {
  return static_cast<double>(time.count()) / 1000;
}

// Always MiB, so that columns can be compared.
std::string Size(Bytes bytes) {
  return memory::Mebibytes(bytes) + " MiB";
}

std::string Repeat(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

int Cells(double percent) {
  return std::clamp(static_cast<int>(std::lround(percent * kCells / 100)), 0, kCells);
}

double Percent(Bytes part, Bytes whole) {
  return 100 * static_cast<double>(part.n) / static_cast<double>(whole.n);
}

std::string Line(std::string_view name, Bytes bytes, std::string_view note = "") {
  return fmt::format("  {:<12}{:>12}{}{}\n", name, Size(bytes), note.empty() ? "" : "   ", note);
}

std::string_view Where(const MadePlan& made) {
  switch (made.target.source) {
    case planner::PlanSource::kFile:
      return "counted from the installed file";
    case planner::PlanSource::kSkeleton:
      return "counted from its header; the model is not installed";
    case planner::PlanSource::kSize:
      return "estimated from its published size; its shapes are unknown";
  }
  return "";
}

std::string Others(const Room& room) {
  return room.others.n > 0 ? fmt::format(", {} of it used by others", Size(room.others)) : "";
}

// Draws a frame around the lines.
std::string Box(const std::vector<std::string>& lines) {
  constexpr int kWidth = 78;
  std::string box = "┌" + Repeat("─", kWidth) + "┐\n";
  for (const std::string& line : lines) {
    const auto shown =
        static_cast<int>(std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; }));
    box += "│ " + line +
           std::string(static_cast<std::size_t>(std::max(0, kWidth - 2 - shown)), ' ') + " │\n";
  }
  return box + "└" + Repeat("─", kWidth) + "┘\n";
}

}  // namespace

std::string_view Exactness(const MadePlan& made) {
  return made.plan.exact ? "exact" : "estimated";
}

std::string Bar(const FitNumbers& fit, const Room& room) {
  const int others = Cells(Percent(room.others, room.total));
  const int resident = std::max(others, Cells(fit.resident_percent));
  const int peak = std::max(resident, Cells(fit.peak_percent));
  std::string bar = Repeat("▒", others) + Repeat("█", resident - others) +
                    Repeat("▓", peak - resident) + Repeat("░", kCells - peak);
  return bar + (fit.peak_percent > 100.5 ? "▸" : " ");
}

std::string ShowPlan(const JudgedPlan& judged, const PlanSettings& settings, const Room& room,
                     const std::vector<memory::Advice>& advice) {
  const MadePlan& made = judged.made;
  const memory::Plan& plan = made.plan;
  std::string text = fmt::format("{} on a GPU with {}{}: {}\n{}\n\n",
                                 Printable(models::ToString(made.target.spec)), Size(room.total),
                                 Others(room), Name(judged.fit.fit), Where(made));
  text += Line("weights", plan.weights);
  text += Line("KV", plan.kv,
               fmt::format("for {:g} s of audio{}", Seconds(settings.chunk),
                           settings.batch > 1 ? fmt::format(", {} at once", settings.batch) : ""));
  text += Line("driver", plan.driver + plan.margin,
               fmt::format("{}, {} of it margin",
                           settings.calibrated ? "calibrated on this GPU"
                           : settings.driver   ? "as given"
                                               : "estimated, not measured on this GPU",
                           Size(plan.margin)));
  text += Line("resident", plan.Resident(),
               fmt::format("{:.1f} % of the GPU", Percent(plan.Resident(), room.total)));
  text +=
      Line("host", plan.host, "of main memory: the engine's buffers, and 32 MiB for the process");
  text += fmt::format("\n  {:<7}{:>12}{:>13}\n", "AUDIO", "WORKSPACE", "PEAK");
  for (const memory::Workspace& row : plan.workspace) {
    const FitNumbers numbers = memory::Measure(plan, row.chunk, room);
    text +=
        fmt::format("  {:<7}{:>12}{:>13}  {} {:3.0f} %\n",
                    fmt::format("{:g} s", Seconds(row.chunk)), Size(row.bytes),
                    Size(plan.Resident() + row.bytes), Bar(numbers, room), numbers.peak_percent);
  }
  text += fmt::format("  {}█ resident  ▓ workspace{}\n\n{}\n", std::string(34, ' '),
                      room.others.n > 0 ? "  ▒ others" : "", judged.fit.text);
  if (judged.fit.fit == memory::Fit::kSafe) return text;
  if (advice.empty()) return text + "\nNothing smaller fits either.\n";
  text += "\nWhat would fit:\n";
  for (const memory::Advice& one : advice)
    text += fmt::format("- {}: {}, {:.0f} % resident, {:.0f} % with workspace\n",
                        one.text.substr(0, one.text.find(" (")), Name(one.fit.fit),
                        one.fit.resident_percent, one.fit.peak_percent);
  return text;
}

std::string ShowAll(const std::vector<PlanTarget>& targets,
                    const std::vector<Result<JudgedPlan>>& plans, const PlanSettings& settings,
                    const Room& room) {
  std::size_t width = 0;
  for (const PlanTarget& target : targets) width = std::max(width, target.spec.name.size());
  std::string text = Box({
      fmt::format("{} GPU{}, {:g} s of audio{}", Size(room.total), Others(room),
                  Seconds(settings.chunk),
                  settings.batch > 1 ? fmt::format(", {} at once", settings.batch) : ""),
      "",
      fmt::format("{}  70 %  resident up to here: SAFE", Repeat("█", 28) + Repeat("░", 12)),
      fmt::format("{}  80 %  MARGINAL up to here", Repeat("█", 32) + Repeat("░", 8)),
      fmt::format("{}  85 %  with workspace, at most",
                  Repeat("█", 32) + Repeat("▓", 2) + Repeat("░", 6)),
  });
  text += fmt::format("\n{:<{}}  {:<7}{:>10}{:>11}  {:<41} {:>5}  {:<9} {}\n", "MODEL", width,
                      "QUANT", "RESIDENT", "PEAK", "", "PEAK", "FIT", "NUMBERS");
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const models::ModelSpec& spec = targets[i].spec;
    if (!plans[i]) {
      text += fmt::format("{:<{}}  {:<7}  {}\n", spec.name, width, spec.quantisation,
                          Printable(plans[i].error().what));
      continue;
    }
    const auto& [made, fit] = *plans[i];
    text += fmt::format("{:<{}}  {:<7}{:>10}{:>11}  {} {:3.0f} %  {:<9} {}\n", spec.name, width,
                        spec.quantisation, Size(fit.resident), Size(fit.resident + fit.workspace),
                        Bar(fit, room), fit.peak_percent, Name(fit.fit), Exactness(made));
  }
  const auto some = std::ranges::find_if(plans, [](const auto& one) { return one.has_value(); });
  const Bytes driver =
      some == plans.end() ? Bytes(0) : (*some)->made.plan.driver + (*some)->made.plan.margin;
  return text + fmt::format("\n█ resident: weights, KV, and {} for the driver ({})   ▓ workspace\n",
                            Size(driver),
                            settings.calibrated ? "calibrated on this GPU"
                            : settings.driver   ? "as given"
                                                : "estimated, see --driver");
}

nlohmann::json PlanJson(const JudgedPlan& judged, const PlanSettings& settings) {
  const MadePlan& made = judged.made;
  const memory::Plan& plan = made.plan;
  nlohmann::json chunks = nlohmann::json::array();
  for (const memory::Workspace& row : plan.workspace)
    chunks.push_back({{"seconds", Seconds(row.chunk)},
                      {"workspace", row.bytes.n},
                      {"peak", (plan.Resident() + row.bytes).n}});
  nlohmann::json value = {
      {"model", plan.model},
      {"quantisation", plan.quantisation},
      {"source", Name(made.target.source)},
      {"exact", plan.exact},
      {"cached", made.from_cache},
      {"weights", plan.weights.n},
      {"session", made.counted.session.n},
      {"kv", plan.kv.n},
      {"driver",
       {{"bytes", plan.driver.n}, {"margin", plan.margin.n}, {"estimated", !settings.driver}}},
      {"host", plan.host.n},
      {"resident", plan.Resident().n},
      {"chunks", std::move(chunks)},
      {"fit",
       {{"name", Name(judged.fit.fit)},
        {"chunk_seconds", Seconds(settings.chunk)},
        {"resident_percent", judged.fit.resident_percent},
        {"peak_percent", judged.fit.peak_percent},
        {"text", judged.fit.text}}}};
  if (!made.target.file.empty()) value["path"] = made.target.file.native();
  return value;
}

}  // namespace headroom::cli
