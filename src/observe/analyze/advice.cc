// Risks by rules, what to change as lines that can be pasted, what to do, and what was not
// recorded.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "observe/analyze/passes.h"

namespace headroom::analyze {
namespace {

using memory::Zone;

void Risks(Context& context) {
  Findings& findings = context.findings;
  const auto add = [&](std::string name, std::string level, std::string because, std::string rule) {
    findings.risks.push_back(
        {std::move(name), std::move(level), std::move(because), std::move(rule)});
  };
  std::optional<Milliseconds> soonest;
  for (const LeakFinding& leak : findings.leaks) {
    if (leak.exhaustion && (!soonest || *leak.exhaustion < *soonest)) soonest = leak.exhaustion;
  }
  const Gauge* vram = context.First(GaugeKind::kVram);
  if (vram && vram->zoned) {
    const double share = 100 * vram->peak / *vram->total;
    const bool high = share >= 85 || (soonest && *soonest < std::chrono::hours(24));
    const bool medium = share >= 70 || soonest.has_value();
    add("card memory used up",
        high     ? "HIGH"
        : medium ? "MEDIUM"
                 : "LOW",
        fmt::format("peak {:.1f} %{}", share, soonest ? ", full in " + FormatLength(*soonest) : ""),
        "HIGH: peak >= 85 % or full within a day; MEDIUM: peak >= 70 % or any leak; else LOW");
  } else if (vram) {
    add("card memory used up", "UNKNOWN", "the card's size is not in the record",
        "needs the GPU's size");
  }
  const Gauge* ram = context.First(GaugeKind::kRam);
  if (ram) {
    const bool high = ram->peak_zone >= Zone::kDanger, medium = ram->peak_zone == Zone::kWarning;
    add("host memory used up",
        high     ? "HIGH"
        : medium ? "MEDIUM"
                 : "LOW",
        fmt::format("peak {} ({})", Size(ram->peak), Name(ram->peak_zone)),
        "HIGH: peak in danger or critical; MEDIUM: in warning; else LOW");
  }
  const std::uint64_t worst = findings.bursts.empty() ? 0 : findings.bursts.front().count;
  add("errors that cascade",
      worst >= 100 ? "HIGH"
      : worst > 0  ? "MEDIUM"
                   : "LOW",
      worst ? fmt::format("{} errors in one burst", worst) : "no burst of errors",
      "HIGH: 100 errors or more in one burst; MEDIUM: any burst; else LOW");
  const bool killed = context.Next(EventKind::kOomKill, findings.from, findings.to) != nullptr;
  add("work that is lost",
      killed || worst >= 100 ? "HIGH"
      : findings.errors > 0  ? "MEDIUM"
                             : "LOW",
      killed ? "a process was killed for memory" : fmt::format("{} errors", findings.errors),
      "HIGH: a kill, or a burst of 100; MEDIUM: any error; else LOW");
}

double RoundUp(double bytes, double step) {
  return std::ceil(bytes / step) * step;
}

void Recommend(Context& context) {
  Findings& findings = context.findings;
  const auto add = [&](std::string title, std::string why, std::string file,
                       std::vector<std::string> lines) {
    findings.recommendations.push_back(
        {std::move(title), std::move(why), std::move(file), std::move(lines)});
  };
  const std::string best = findings.hypotheses.empty() || findings.hypotheses.front().share == 0
                               ? ""
                               : findings.hypotheses.front().id;
  const std::string unit = findings.unit.empty() ? "SERVICE" : findings.unit;
  const auto model = [&] {
    if (!findings.model || findings.model->fit.fit == memory::Fit::kSafe) return;
    const ModelFit& fit = *findings.model;
    if (!fit.advice.empty()) {
      for (std::size_t i = 0; i < fit.advice.size(); ++i) {
        const std::string& title = fit.titles[i];
        const bool int8 = title.find("Q8_0") != std::string::npos;
        const std::string name = title.substr(0, title.find(" on "));
        std::string spec = name;
        std::replace(spec.begin(), spec.end(), ' ', ':');
        add(fmt::format("use {}{}", name, int8 ? " (INT8)" : ""), fit.advice[i].text, "config.toml",
            {"[models]", fmt::format("tiers = [\"{}@gpu\"]", spec)});
      }
    } else {
      const double room = context.options.fit.safe / 100 * fit.total;
      add(fmt::format("use a model that holds at most {}", GpuSize(room)),
          fmt::format("{:g} % of {} is the safe share", context.options.fit.safe,
                      GpuSize(fit.total)),
          "", {});
    }
  };
  const auto sleep = [&] {
    if (best == "suspend-resume")
      add("end the process that uses the GPU before the machine sleeps, and start it after",
          "the device's context does not survive; memory that is free does not help",
          "/usr/lib/systemd/system-sleep/" + unit + ".sh (executable)",
          {"#!/bin/sh", "case $1 in", fmt::format("pre) systemctl stop {} ;;", unit),
           fmt::format("post) systemctl start {} ;;", unit), "esac"});
  };
  sleep();
  model();
  if (best == "device-fault")
    add("end the process at the first error 700, 719 or 999, and let it be started again",
        "the error stays until the process ends: every retry fails",
        "/etc/systemd/system/" + unit + ".d/restart.conf",
        {"[Service]", "Restart=on-failure", "RestartSec=5"});
  const Gauge* vram = context.First(GaugeKind::kVram);
  if (vram && vram->zoned && vram->peak_zone != Zone::kSafe)
    add("watch the GPU with these thresholds", "the zones that this report uses", "config.toml",
        {"[memory]", fmt::format("vram_warning = {:g}", context.options.thresholds.vram.warning),
         fmt::format("vram_danger = {:g}", context.options.thresholds.vram.danger),
         fmt::format("vram_critical = {:g}", context.options.thresholds.vram.critical)});
  const Gauge* ram = context.First(GaugeKind::kRam);
  if (ram && ram->peak_zone >= Zone::kWarning) {
    const double high =
        std::min(RoundUp(std::max(3 * ram->baseline, 5e8), 5e8), ram->thresholds.danger);
    const double most = std::max(high + 1e9, RoundUp(high * 4 / 3, 5e8));
    add("limit the service's host memory",
        fmt::format("it normally holds {} and went to {}", Size(ram->baseline), Size(ram->peak)),
        "/etc/systemd/system/" + unit + ".d/memory.conf",
        {"[Service]", fmt::format("MemoryHigh={:.0f}M", high / 1048576),
         fmt::format("MemoryMax={:.0f}M", most / 1048576)});
  }
  for (const LeakFinding& leak : findings.leaks) {
    if (leak.verdict != LeakVerdict::kLeak) continue;
    add("restart the service before the leak fills the memory, until it is found",
        leak.statement.text, "/etc/systemd/system/" + unit + ".d/leak.conf",
        {"[Service]",
         fmt::format("RuntimeMaxSec={}h",
                     std::max<std::int64_t>(
                         1, leak.exhaustion ? leak.exhaustion->count() / 3'600'000 / 2 : 24)),
         "Restart=always"});
    break;
  }
}

void Missing(Context& context) {
  Findings& findings = context.findings;
  const auto has = [&](auto&& accept) {
    return std::any_of(
        context.evidence.series().begin(), context.evidence.series().end(),
        [&](const Series& series) { return !series.points.empty() && accept(series); });
  };
  const auto lacks = [&](bool there, const char* what) {
    if (!there) findings.missing.emplace_back(what);
  };
  const bool vram = has([](const Series& s) { return s.metric == Metric::kVramUsed; });
  lacks(vram,
        "memory of the GPU (nvidia-smi --query-gpu=timestamp,memory.used,memory.total "
        "--format=csv -l 1)");
  lacks(!vram || has([](const Series& s) { return s.metric == Metric::kVramTotal; }) ||
            context.options.gpu,
        "the size of the GPU: no zones without it (--card 4096MiB)");
  lacks(!vram ||
            has([](const Series& s) { return s.metric == Metric::kVramUsed && !s.owner.empty(); }),
        "memory of each program on the GPU (nvidia-smi pmon -s m -o DT): another program can "
        "neither be blamed nor ruled out");
  lacks(has([](const Series& s) { return s.metric == Metric::kRam; }),
        "memory of the service on the host");
  lacks(has([](const Series& s) {
          return s.metric == Metric::kSwap || s.metric == Metric::kHostSwap;
        }),
        "swap");
  lacks(has([](const Series& s) {
          return s.metric == Metric::kPsiFull || s.metric == Metric::kPsiSome;
        }),
        "pressure (/proc/pressure/memory): whether anything waited for memory");
  lacks(context.kernel_covered(),
        "the kernel's lines (journalctl -k -o json): sleep, Xid and kills cannot be seen");
  lacks(!context.evidence.events().empty(), "the service's log (journalctl -u UNIT -o json)");
}

void Actions(Context& context) {
  Findings& findings = context.findings;
  for (const Recommendation& recommendation : findings.recommendations)
    findings.actions.push_back(recommendation.title);
  if (!findings.hypotheses.empty() && findings.hypotheses.front().share > 0 &&
      findings.hypotheses.front().share < 0.9)
    findings.actions.push_back("decide the cause: " + findings.hypotheses.front().decide);
  if (!findings.missing.empty() && findings.onset)
    findings.actions.push_back("record what was missing here, before the next time: " +
                               findings.missing.front());
}

}  // namespace

void FindAdvice(Context& context) {
  Risks(context);
  Recommend(context);
  Missing(context);
  Actions(context);
}

}  // namespace headroom::analyze
