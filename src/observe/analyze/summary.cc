// The status and the key statements, from all that was found.
#include <fmt/format.h>

#include <algorithm>

#include "observe/analyze/passes.h"

namespace headroom::analyze {
namespace {

std::string Codes(const Context& context, const Burst& burst) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(burst.parts.size(), 3); ++i) {
    const EventType& type = context.evidence.types()[burst.parts[i].type];
    text +=
        fmt::format("{}{}{}", i ? ", " : "", type.name, type.code.empty() ? "" : " " + type.code);
  }
  return text;
}

}  // namespace

void Summarise(Context& context) {
  Findings& findings = context.findings;
  const auto say = [&](std::string text, Basis basis, std::vector<Citation> from = {}) {
    findings.summary.push_back({std::move(text), basis, std::move(from)});
  };
  if (!findings.hypotheses.empty() && findings.hypotheses.front().share > 0) {
    const Hypothesis& best = findings.hypotheses.front();
    const std::string words = findings.confidence >= 0.75   ? "likely"
                              : findings.confidence >= 0.45 ? "probably"
                                                            : "perhaps";
    say(fmt::format("First cause, {}: {} (confidence {:.0f} %)", words, best.title,
                    100 * findings.confidence),
        Basis::kInferred);
  } else if (findings.onset) {
    say("First cause: nothing in the record speaks for any explanation", Basis::kInferred);
  }
  for (const Gauge& gauge : findings.gauges) {
    const bool moved = gauge.peak > gauge.baseline * 1.02;
    std::string text = fmt::format("{}: {}", gauge.name, context.Say(gauge, gauge.baseline));
    if (gauge.total)
      text +=
          fmt::format(" of {} ({})", GpuSize(*gauge.total), context.Share(gauge, gauge.baseline));
    if (moved) {
      text += fmt::format(", peak {}", context.Say(gauge, gauge.peak));
      if (gauge.total) text += fmt::format(" ({})", context.Share(gauge, gauge.peak));
      text += gauge.peak_untimed ? ", reported afterwards" : " at " + context.Clock(gauge.peak_at);
      text += fmt::format(", {} at the end", context.Say(gauge, gauge.last));
    }
    if (gauge.kind == GaugeKind::kRam) {
      for (const auto& [metric, name] :
           {std::pair{Metric::kMemoryHigh, "MemoryHigh"}, std::pair{Metric::kMemoryMax, "limit"}})
        for (const Series& series : context.evidence.series())
          if (series.metric == metric && !series.points.empty() &&
              series.points.back().value < 1e15F &&
              series.owner == context.evidence.series()[gauge.series].owner)
            text +=
                fmt::format(", {} {}", name, Size(static_cast<double>(series.points.back().value)));
    }
    if (gauge.zoned && gauge.peak_zone != memory::Zone::kSafe)
      text += fmt::format("; {}", Name(gauge.peak_zone));
    say(std::move(text), Basis::kMeasured, {gauge.baseline_from, gauge.peak_from});
  }
  for (const Series& series : context.evidence.series()) {
    if (series.metric != Metric::kHostAvailable || series.points.empty()) continue;
    const auto [low, high] =
        std::minmax_element(series.points.begin(), series.points.end(),
                            [](const Point& a, const Point& b) { return a.value < b.value; });
    double total = 0;
    for (const Series& other : context.evidence.series())
      if (other.metric == Metric::kHostTotal && !other.points.empty())
        total = static_cast<double>(other.points.back().value);
    say(fmt::format("Host memory available: {} at first, {} at least ({}){}",
                    Size(static_cast<double>(series.points.front().value)),
                    Size(static_cast<double>(low->value)), context.Clock(low->at),
                    total > 0 ? ", of " + Size(total) : ""),
        Basis::kMeasured, {{series.source, low->line}});
    break;
  }
  if (findings.kills > 0)
    for (const Happening& event : findings.events)
      if (context.evidence.types()[event.type].kind == EventKind::kOomKill) {
        say(fmt::format("Kills: {}; the first: {}, {}", findings.kills, event.statement.text,
                        context.evidence.types()[event.type].unit),
            Basis::kMeasured, event.statement.from);
        break;
      }
  for (const Source& source : context.evidence.sources())
    if (source.suppressed > 0)
      say(fmt::format(
              "{}: {} further messages were suppressed by journald: every count is a lower bound",
              source.name, source.suppressed),
          Basis::kMeasured);
  if (findings.errors > 0) {
    std::string text = fmt::format("Errors: {}", findings.errors);
    if (!findings.bursts.empty()) {
      const Burst& burst = findings.bursts.front();
      text += fmt::format(", {} of them in a burst of {} from {}: {}", burst.count,
                          FormatLength(burst.last - burst.first), context.Clock(burst.first),
                          Codes(context, burst));
      say(std::move(text), Basis::kMeasured, {burst.first_from, burst.last_from});
    } else {
      say(std::move(text), Basis::kMeasured);
    }
  } else {
    say("Errors: none that the error packs know", Basis::kMeasured);
  }
  bool judged = false, leaks = false;
  for (const LeakFinding& leak : findings.leaks) {
    judged = judged || leak.verdict != LeakVerdict::kTooShort;
    if (leak.verdict != LeakVerdict::kLeak) continue;
    leaks = true;
    say("Leak: " + leak.statement.text, Basis::kDerived, leak.statement.from);
  }
  if (!leaks)
    say(judged ? "Leak: none in any calm phase" : "Leak: no verdict, the record is too short",
        Basis::kDerived);
  if (findings.model) {
    const ModelFit& fit = *findings.model;
    std::string text = fmt::format("Model: {} is {} on this GPU", fit.model, Name(fit.fit.fit));
    if (!fit.titles.empty()) {
      const std::string& title = fit.titles.front();
      text += fmt::format("; {}{} would be {}", title.substr(0, title.find(" on ")),
                          title.find("Q8_0") != std::string::npos ? " (INT8)" : "",
                          Name(fit.advice.front().fit.fit));
    }
    say(std::move(text), Basis::kDerived, fit.statement.from);
  }
  // A level that is held without a failure is by design (vLLM, SGLang and JAX take a share of the
  // GPU when they start); what rises to the edge is at risk.
  const bool at_risk =
      leaks || std::any_of(findings.gauges.begin(), findings.gauges.end(), [](const Gauge& gauge) {
        const bool held = gauge.kind == GaugeKind::kVram && gauge.total &&
                          gauge.peak < 0.98 * *gauge.total && gauge.peak <= 1.02 * gauge.baseline;
        return gauge.zoned && gauge.peak_zone >= memory::Zone::kDanger && !held;
      });
  const bool nothing = findings.gauges.empty() && findings.errors == 0 && !findings.onset;
  findings.status = findings.onset ? "INCIDENT"
                    : nothing      ? "NO DATA"
                    : at_risk      ? "AT RISK"
                    : !judged      ? "TOO SHORT"
                                   : "HEALTHY";
}

}  // namespace headroom::analyze
