// Phases by change-point detection over all gauges, with what the logs say as fixed boundaries.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "observe/analyze/changepoint.h"
#include "observe/analyze/passes.h"

namespace headroom::analyze {
namespace {

constexpr std::size_t kMostBins = 1500;
constexpr std::size_t kMostPhases = 24;

struct Threshold {
  Instant at;
  Statement why;
  bool firm = false;   // from a log line
  bool sleep = false;  // the machine sleeps from here on
};

Milliseconds Width(const Context& context) {
  Milliseconds interval(1000);
  for (const Gauge& gauge : context.findings.gauges) interval = std::max(interval, gauge.interval);
  const Milliseconds length = context.findings.to - context.findings.from;
  return std::max(interval, length / static_cast<std::int64_t>(kMostBins) + Milliseconds(1));
}

// What a change must exceed to matter: a part of the GPU, or of the largest value seen.
double Scale(const Gauge& gauge) {
  return std::max(gauge.total.value_or(gauge.peak), 1e6);
}

std::vector<Instant> Changes(const Context& context) {
  const Findings& findings = context.findings;
  const Milliseconds width = Width(context);
  const auto count = static_cast<std::size_t>((findings.to - findings.from) / width);
  if (count < 4) return {};
  std::vector<std::vector<double>> rows;
  for (const Gauge& gauge : findings.gauges) {
    if (context.points(gauge).size() < 4) continue;
    std::vector<double> bins = Bins(context.points(gauge), findings.from, width, count);
    const auto first =
        std::find_if(bins.begin(), bins.end(), [](double v) { return std::isfinite(v); });
    std::fill(bins.begin(), first, first == bins.end() ? 0 : *first);
    const double noise = std::max(3 * Noise(bins), 0.01 * Scale(gauge));
    for (double& value : bins) value /= noise;
    rows.push_back(std::move(bins));
  }
  if (rows.empty()) return {};
  double penalty = 6 * static_cast<double>(rows.size()) * std::log(static_cast<double>(count));
  std::vector<std::size_t> points = ChangePoints(rows, penalty);
  while (points.size() > kMostPhases) {
    penalty *= 3;
    points = ChangePoints(rows, penalty);
  }
  std::vector<Instant> changes;
  for (const std::size_t point : points)
    changes.push_back(findings.from + width * static_cast<std::int64_t>(point));
  return changes;
}

// The largest step of any gauge near a boundary that the bins only know roughly.
Threshold Refine(const Context& context, Instant rough, Milliseconds width) {
  Threshold threshold{rough, {}};
  double largest = 0;
  for (const Gauge& gauge : context.findings.gauges) {
    const Points points = Between(context.points(gauge), rough - 2 * width, rough + 2 * width);
    for (std::size_t i = 1; i < points.size(); ++i) {
      const double step =
          (static_cast<double>(points[i].value) - static_cast<double>(points[i - 1].value)) /
          Scale(gauge);
      if (std::abs(step) <= largest) continue;
      largest = std::abs(step);
      threshold.at = points[i].at;
      threshold.why = {
          fmt::format("{} {} from {} to {}", gauge.name, step > 0 ? "rises" : "falls",
                      context.Say(gauge, points[i - 1].value), context.Say(gauge, points[i].value)),
          Basis::kDerived,
          {{context.evidence.series()[gauge.series].source, points[i].line}}};
    }
  }
  if (threshold.why.text.empty()) threshold.why = {"the course changes", Basis::kDerived, {}};
  return threshold;
}

std::vector<Threshold> Thresholds(const Context& context) {
  const Findings& findings = context.findings;
  const Milliseconds width = Width(context);
  std::vector<Threshold> thresholds;
  const auto firm = [&](const Event& event) {
    thresholds.push_back({event.at,
                          {context.Describe(event), Basis::kMeasured, {event.from}},
                          true,
                          context.evidence.type(event).kind == EventKind::kSuspend});
  };
  std::size_t logged = 0;
  for (const Event& event : context.evidence.events()) {
    const EventKind kind = context.evidence.type(event).kind;
    if (kind != EventKind::kStart && kind != EventKind::kLoad && kind != EventKind::kReady &&
        kind != EventKind::kUnload && kind != EventKind::kSuspend && kind != EventKind::kResume)
      continue;
    if (++logged > kMostPhases) break;  // a unit that restarts all the time: the levels must decide
    firm(event);
  }
  if (logged > kMostPhases) thresholds.clear();
  for (std::size_t i = 0; i < std::min<std::size_t>(findings.bursts.size(), 5); ++i) {
    const Burst& burst = findings.bursts[i];
    if (burst.last - burst.first < Milliseconds(2000) && findings.bursts.size() > 1) continue;
    thresholds.push_back({burst.first,
                          {"the first of a burst of errors", Basis::kMeasured, {burst.first_from}},
                          true});
    thresholds.push_back(
        {burst.last, {"the last of a burst of errors", Basis::kMeasured, {burst.last_from}}, true});
  }
  std::vector<Threshold> all = thresholds;
  for (const Instant rough : Changes(context)) {
    Threshold threshold = Refine(context, rough, width);
    const bool logged_already =
        std::any_of(thresholds.begin(), thresholds.end(), [&](const Threshold& other) {
          const Milliseconds apart = std::chrono::abs(other.at - threshold.at);
          return apart <= 2 * width;
        });
    // What happens inside a burst is one event.
    const bool inside =
        std::any_of(findings.bursts.begin(), findings.bursts.end(), [&](const Burst& burst) {
          return threshold.at >= burst.first && threshold.at <= burst.last;
        });
    if (!logged_already && !inside) all.push_back(std::move(threshold));
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Threshold& a, const Threshold& b) { return a.at < b.at; });
  return all;
}

std::vector<Level> Levels(const Context& context, Instant from, Instant to) {
  std::vector<Level> levels;
  for (std::size_t g = 0; g < context.findings.gauges.size(); ++g) {
    const Points points = Between(context.points(context.findings.gauges[g]), from, to);
    if (points.empty()) continue;
    const std::size_t edge = std::max<std::size_t>(1, points.size() / 20);
    levels.push_back(
        {g, MedianOf(points), MedianOf(points.first(edge)), MedianOf(points.last(edge))});
  }
  return levels;
}

const Level* LevelOf(const Phase& phase, std::size_t gauge) {
  const auto at = std::find_if(phase.levels.begin(), phase.levels.end(),
                               [&](const Level& level) { return level.gauge == gauge; });
  return at == phase.levels.end() ? nullptr : &*at;
}

bool Alike(const Context& context, const Phase& a, const Phase& b) {
  for (std::size_t g = 0; g < context.findings.gauges.size(); ++g) {
    const Level* of_a = LevelOf(a, g);
    const Level* of_b = LevelOf(b, g);
    if (of_a && of_b &&
        std::abs(of_a->last - of_b->first) > 0.03 * Scale(context.findings.gauges[g]))
      return false;
    if (of_a && of_b &&
        std::abs(of_a->median - of_b->median) > 0.03 * Scale(context.findings.gauges[g]))
      return false;
  }
  return true;
}

bool Grows(const Context& context, const Phase& phase) {
  return std::any_of(phase.levels.begin(), phase.levels.end(), [&](const Level& level) {
    return level.last - level.first > 0.08 * Scale(context.findings.gauges[level.gauge]);
  });
}

void Classify(const Context& context, std::vector<Phase>& phases) {
  const Findings& findings = context.findings;
  const auto is_event = [&](const Phase& phase) {
    return std::any_of(findings.bursts.begin(), findings.bursts.end(), [&](const Burst& burst) {
      const bool main = burst.count * 20 >= findings.bursts.front().count;
      return main && phase.from <= burst.first &&
             burst.first < std::max(phase.to, phase.from + Milliseconds(1)) &&
             phase.to - phase.from <= 3 * (burst.last - burst.first) + Milliseconds(60'000);
    });
  };
  std::size_t longest = 0;
  for (std::size_t i = 0; i < phases.size(); ++i) {
    if (phases[i].to - phases[i].from > phases[longest].to - phases[longest].from) longest = i;
  }
  bool after_event = false;
  for (std::size_t i = 0; i < phases.size(); ++i) {
    Phase& phase = phases[i];
    if (phase.kind == PhaseKind::kAsleep) continue;
    const bool grows = Grows(context, phase);
    if (is_event(phase)) {
      phase.kind = PhaseKind::kEvent;
      after_event = true;
      continue;
    }
    if (after_event) {
      phase.kind = PhaseKind::kRecovery;
      after_event = false;
      continue;
    }
    phase.kind = grows ? PhaseKind::kGrowing : PhaseKind::kSteady;
    if (i < longest) {
      // Before the longest phase: low levels are the start, a rise to its level is loading.
      bool low = false, rises = grows;
      for (const Level& level : phase.levels) {
        const Level* later = LevelOf(phases[longest], level.gauge);
        if (!later) continue;
        low = low || level.median < 0.6 * later->median;
        if (i + 1 < phases.size()) {
          const Level* next = LevelOf(phases[i + 1], level.gauge);
          rises = rises ||
                  (next && next->first > level.first + 0.2 * Scale(findings.gauges[level.gauge]) &&
                   i > 0);
        }
      }
      const bool brief = phase.to - phase.from < (phases[longest].to - phases[longest].from) / 4;
      const bool logged = phase.began_by.text.find("model begins to load") != std::string::npos;
      if (logged || (rises && brief && i > 0))
        phase.kind = PhaseKind::kLoading;
      else if (low && brief)
        phase.kind = PhaseKind::kStartUp;
    } else if (i > longest && !grows) {
      // A brief stretch above both neighbours is an event, errors or not.
      const bool brief = phase.to - phase.from < (phases[longest].to - phases[longest].from) / 10;
      for (const Level& level : phase.levels) {
        const Level* before = LevelOf(phases[i - 1], level.gauge);
        const double scale = 0.1 * Scale(findings.gauges[level.gauge]);
        if (brief && before && level.median > before->median + scale && i + 1 < phases.size()) {
          phase.kind = PhaseKind::kEvent;
          after_event = true;
        }
      }
    }
  }
}

}  // namespace

void FindPhases(Context& context) {
  Findings& findings = context.findings;
  if (findings.gauges.empty() && findings.bursts.empty()) return;
  const std::vector<Threshold> thresholds = Thresholds(context);
  std::vector<Phase> phases;
  Phase open;
  open.from = findings.from;
  open.began_by = {"the record begins", Basis::kMeasured, {}};
  const auto close = [&](Instant at) {
    open.to = at;
    if (open.to <= open.from) return false;
    if (open.kind != PhaseKind::kAsleep) open.levels = Levels(context, open.from, open.to);
    phases.push_back(open);
    return true;
  };
  for (const Threshold& threshold : thresholds) {
    if (threshold.at - open.from <
        Milliseconds(1000)) {  // the same moment: the firmer reason stays
      if (threshold.firm && threshold.at >= open.from) open.began_by = threshold.why;
      if (threshold.sleep) open.kind = PhaseKind::kAsleep;
      continue;
    }
    if (!close(threshold.at)) continue;
    open = Phase();
    open.from = threshold.at;
    open.began_by = threshold.why;
    if (threshold.sleep) open.kind = PhaseKind::kAsleep;
  }
  close(findings.to);
  // Neighbours that differ in nothing but a log line are one, unless a burst lies between.
  std::vector<Phase> merged;
  for (Phase& phase : phases) {
    const bool at_burst = std::any_of(
        findings.bursts.begin(), findings.bursts.end(),
        [&](const Burst& burst) { return phase.from == burst.first || phase.from == burst.last; });
    const bool sleeps = phase.kind == PhaseKind::kAsleep ||
                        (!merged.empty() && merged.back().kind == PhaseKind::kAsleep);
    if (!merged.empty() && !at_burst && !sleeps && Alike(context, merged.back(), phase)) {
      merged.back().to = phase.to;
      merged.back().levels = Levels(context, merged.back().from, phase.to);
    } else {
      merged.push_back(std::move(phase));
    }
  }
  Classify(context, merged);
  findings.phases = std::move(merged);
}

void FindBaselines(Context& context) {
  Findings& findings = context.findings;
  for (std::size_t g = 0; g < findings.gauges.size(); ++g) {
    Gauge& gauge = findings.gauges[g];
    const Points points = context.points(gauge);
    // The longest phase that is not an event; without phases, everything.
    const Phase* longest = nullptr;
    for (const Phase& phase : findings.phases) {
      if (phase.kind == PhaseKind::kEvent || !LevelOf(phase, g)) continue;
      if (!longest || phase.to - phase.from > longest->to - longest->from) longest = &phase;
    }
    const Points calm = longest ? Between(points, longest->from, longest->to) : points;
    gauge.baseline = MedianOf(calm);
    if (!calm.empty())
      gauge.baseline_from = {context.evidence.series()[gauge.series].source,
                             calm[calm.size() / 2].line};
    if (gauge.zoned) gauge.baseline_zone = gauge.thresholds.Of(gauge.baseline);
    // What was happening in the ten minutes before the peak.
    if (gauge.peak <= gauge.baseline * 1.05 || gauge.peak_untimed) continue;
    constexpr Milliseconds kBefore{600'000};
    for (const EventKind kind :
         {EventKind::kSuspend, EventKind::kResume, EventKind::kClockStep, EventKind::kReset,
          EventKind::kLoad, EventKind::kActivity, EventKind::kStart}) {
      if (const Event* event = context.Last(kind, gauge.peak_at - kBefore, gauge.peak_at))
        gauge.before_peak.push_back({fmt::format("{}, {} before", context.Describe(*event),
                                                 FormatLength(gauge.peak_at - event->at)),
                                     Basis::kMeasured,
                                     {event->from}});
    }
    for (const Burst& burst : findings.bursts) {
      if (burst.first > gauge.peak_at || burst.last + kBefore < gauge.peak_at) continue;
      gauge.before_peak.push_back(
          {fmt::format("errors since {}, {} before", context.Clock(burst.first),
                       FormatLength(gauge.peak_at - burst.first)),
           Basis::kMeasured,
           {burst.first_from}});
    }
  }
}

}  // namespace headroom::analyze
