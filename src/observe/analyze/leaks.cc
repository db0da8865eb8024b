// The leak verdict, for each gauge in each long calm phase.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "observe/analyze/changepoint.h"
#include "observe/analyze/passes.h"
#include "observe/analyze/trend.h"

namespace headroom::analyze {
namespace {

constexpr Milliseconds kShortest{20 * 60'000};
constexpr std::size_t kLeastMedians = 20, kMostMedians = 300, kWindows = 12;
constexpr double kMiB = 1048576;

std::string PerHour(double bytes) {
  return fmt::format("{:+.2f} MiB/h", bytes / kMiB);
}

// The lowest of each of kWindows stretches: what is never given back.
Medians Floor(const Medians& medians) {
  Medians floor;
  const std::size_t n = medians.values.size();
  for (std::size_t w = 0; w < kWindows; ++w) {
    const std::size_t begin = w * n / kWindows, end = (w + 1) * n / kWindows;
    if (begin == end) continue;
    const auto lowest =
        std::min_element(medians.values.begin() + static_cast<std::ptrdiff_t>(begin),
                         medians.values.begin() + static_cast<std::ptrdiff_t>(end));
    floor.hours.push_back(medians.hours[static_cast<std::size_t>(lowest - medians.values.begin())]);
    floor.values.push_back(*lowest);
  }
  return floor;
}

std::size_t Releases(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double large = 0.3 * (*high - *low);
  if (*high - *low < 0.01 * *high) return 0;
  return static_cast<std::size_t>(std::count_if(values.begin() + 1, values.end(),
                                                [&, before = values.front()](double value) mutable {
                                                  const bool falls = before - value > large;
                                                  before = value;
                                                  return falls;
                                                }));
}

struct Judged {
  Trend trend;
  LeakVerdict verdict = LeakVerdict::kNoLeak;
};

Judged JudgeTrend(const Medians& medians, double scale) {
  Judged judged;
  const std::vector<double>& x = medians.hours;
  const std::vector<double>& y = medians.values;
  judged.trend = TrendOf(x, y);
  const double length = x.back() - x.front();
  const double growth = judged.trend.slope * length;
  const double matters = std::max({0.005 * scale, 3 * Noise(y), kMiB});
  const Medians floor = Floor(medians);
  const Trend of_floor = TrendOf(floor.hours, floor.values);
  const bool floor_grows =
      of_floor.p < 0.05 && of_floor.low > 0 && of_floor.slope * length > matters / 2;
  if (Releases(y) >= 2) {
    judged.verdict = floor_grows ? LeakVerdict::kLeak : LeakVerdict::kSawtooth;
    if (floor_grows) judged.trend = of_floor;
    return judged;
  }
  const bool grows = judged.trend.p < 0.01 && judged.trend.low > 0 && growth > matters;
  if (!grows || !floor_grows) return judged;
  const std::size_t third = 2 * y.size() / 3;
  const Trend late = TrendOf(std::span(x).subspan(third), std::span(y).subspan(third));
  judged.verdict =
      late.slope < 0.2 * judged.trend.slope ? LeakVerdict::kPlateau : LeakVerdict::kLeak;
  return judged;
}

LeakFinding Examine(const Context& context, std::size_t index, Instant from, Instant to) {
  const Gauge& gauge = context.findings.gauges[index];
  LeakFinding finding;
  finding.gauge = index;
  finding.from = from;
  finding.to = to;
  const Points points = Between(context.points(gauge), from, to);
  const std::uint32_t source = context.evidence.series()[gauge.series].source;
  if (!points.empty())
    finding.statement.from = {{source, points.front().line}, {source, points.back().line}};
  const Medians medians = MediansOf(
      points, std::max(Milliseconds(60'000),
                       (to - from) / static_cast<std::int64_t>(kMostMedians) + Milliseconds(1)));
  finding.readings = medians.values.size();
  finding.statement.basis = Basis::kDerived;
  if (to - from < kShortest || finding.readings < kLeastMedians) {
    finding.statement.text = fmt::format(
        "{}: {} with {} minute medians are too short for a verdict; 20 min and 20 medians are "
        "needed",
        gauge.name, FormatLength(to - from), finding.readings);
    const Medians fine = MediansOf(points, std::max(Milliseconds(1000), (to - from) / 30));
    if (fine.values.size() < 8) return finding;
    const Trend trend = TrendOf(fine.hours, fine.values);
    if (trend.p < 0.01 && trend.low > 0 && trend.low > 0.5 * trend.slope)
      finding.statement.text += fmt::format("; so far it grows by {}", PerHour(trend.slope));
    return finding;
  }
  const double scale = std::max(gauge.total.value_or(0), gauge.peak);
  const Judged judged = JudgeTrend(medians, scale);
  finding.verdict = judged.verdict;
  finding.slope = judged.trend.slope;
  finding.low = judged.trend.low;
  finding.high = judged.trend.high;
  finding.p = judged.trend.p;
  std::string text = fmt::format(
      "{}, {} to {}: {}. {} (95 %: {} to {}), trend test p = {:.2g}, {} medians", gauge.name,
      context.Clock(from), context.Clock(to), Name(finding.verdict), PerHour(finding.slope),
      PerHour(finding.low), PerHour(finding.high), finding.p, finding.readings);
  if (finding.verdict == LeakVerdict::kNoLeak && finding.high > 0)
    text += fmt::format("; growth above {} is excluded", PerHour(finding.high));
  if (finding.verdict == LeakVerdict::kPlateau) text += "; it grew and then stopped";
  if (finding.verdict == LeakVerdict::kSawtooth)
    text += "; what grows is given back, and the lowest level does not grow";
  finding.statement.text = std::move(text);
  if (finding.verdict == LeakVerdict::kLeak && finding.slope > 0) {
    const double limit = gauge.total ? *gauge.total : gauge.zoned ? gauge.thresholds.critical : 0;
    const double left = limit - medians.values.back();
    const auto after = [&](double slope) {
      return Milliseconds(
          static_cast<std::int64_t>(std::min(std::max(left, 0.0) / slope * 3.6e6, 9e12)));
    };
    if (limit > 0) {
      finding.exhaustion = after(finding.slope);
      if (finding.high > 0) finding.exhaustion_soonest = after(finding.high);
      finding.statement.text +=
          fmt::format("; {} is reached in {} at this rate",
                      gauge.total ? "the GPU's end" : "the critical threshold",
                      FormatLength(*finding.exhaustion));
    }
  }
  return finding;
}

// Growth that the next calm phase does not go on with stopped by itself, unless there was no room
// left to grow into, or what was held was given back in between.
void EndedGrowth(const Context& context, std::vector<LeakFinding>& found) {
  constexpr double kMuch = 0.95, kGivenBack = 0.9;
  for (std::size_t i = 0; i + 1 < found.size(); ++i) {
    LeakFinding& leak = found[i];
    const LeakFinding& next = found[i + 1];
    if (leak.verdict != LeakVerdict::kLeak || next.to - next.from < leak.to - leak.from) continue;
    const bool still = next.verdict == LeakVerdict::kPlateau ||
                       (next.verdict == LeakVerdict::kNoLeak && next.high < leak.slope / 2);
    if (!still) continue;
    const Gauge& gauge = context.findings.gauges[leak.gauge];
    const Points before = Between(context.points(gauge), leak.from, leak.to);
    const Points after = Between(context.points(gauge), next.from, next.to);
    if (before.empty() || after.empty()) continue;
    const auto highest = [](Points points) {
      return static_cast<double>(std::ranges::max_element(points, {}, &Point::value)->value);
    };
    const double limit = gauge.total   ? *gauge.total
                         : gauge.zoned ? gauge.thresholds.critical
                                       : std::numeric_limits<double>::infinity();
    const Points first = after.first((after.size() + 9) / 10);
    if (highest(first) < kGivenBack * highest(before) || highest(after) > kMuch * limit) continue;
    leak.verdict = LeakVerdict::kPlateau;
    leak.exhaustion = leak.exhaustion_soonest = std::nullopt;
    leak.statement.text = fmt::format(
        "{}, {} to {}: plateau. It grew by {} and did not go on in the {} after that ({})",
        gauge.name, context.Clock(leak.from), context.Clock(leak.to), PerHour(leak.slope),
        FormatLength(next.to - next.from), PerHour(next.slope));
  }
}

// Growth that a later part of the record gives back, without a restart between, is no leak: daily
// load, a cache that is dropped, a warm-up.
void GivenBack(const Context& context, std::vector<LeakFinding>& found) {
  for (LeakFinding& leak : found) {
    if (leak.verdict != LeakVerdict::kLeak) continue;
    const Points all = context.points(context.findings.gauges[leak.gauge]);
    const Points during = Between(all, leak.from, leak.to);
    if (during.size() < 20) continue;
    const std::size_t edge = std::max<std::size_t>(1, during.size() / 20);
    const double first = MedianOf(during.first(edge)), last = MedianOf(during.last(edge));
    Instant until = context.findings.to;
    for (const EventKind kind : {EventKind::kStart, EventKind::kStop, EventKind::kOomKill})
      if (const Event* event = context.Next(kind, leak.to - Milliseconds(60'000), until))
        until = event->at;
    if (context.findings.onset && *context.findings.onset > leak.to)
      until = std::min(until, *context.findings.onset);
    const Medians later = MediansOf(Between(all, leak.to, until), Milliseconds(300'000));
    const bool given_back =
        std::any_of(later.values.begin(), later.values.end(),
                    [&](double level) { return level < first + 0.5 * (last - first); });
    if (!given_back) continue;
    leak.verdict = LeakVerdict::kSawtooth;
    leak.exhaustion = leak.exhaustion_soonest = std::nullopt;
    leak.statement.text =
        fmt::format("{}, {} to {}: no leak. It grew by {} and gave it back later without a restart",
                    context.findings.gauges[leak.gauge].name, context.Clock(leak.from),
                    context.Clock(leak.to), PerHour(leak.slope));
  }
}

// The program whose own series grew by most of what the device's did.
void Attribute(const Context& context, std::vector<LeakFinding>& found) {
  for (LeakFinding& leak : found) {
    const Series& whole = context.evidence.series()[context.findings.gauges[leak.gauge].series];
    if (leak.verdict != LeakVerdict::kLeak || whole.metric != Metric::kVramUsed ||
        !whole.owner.empty())
      continue;
    const auto growth = [&](const Series& series) {
      const Points part = Between(series.points, leak.from, leak.to);
      if (part.size() < 4) return 0.0;
      const std::size_t edge = std::max<std::size_t>(1, part.size() / 20);
      const bool late = part.front().at > leak.from + (leak.to - leak.from) / 10;
      return MedianOf(part.last(edge)) - (late ? 0 : MedianOf(part.first(edge)));
    };
    const Series* who = nullptr;
    double most = 0, largest = 0;
    std::string service;
    for (const Series& series : context.evidence.series()) {
      if (series.metric != Metric::kVramUsed || series.device != whole.device ||
          series.owner.empty() || series.points.empty())
        continue;
      if (const double level = MedianOf(series.points); level > largest)
        largest = level, service = series.owner;
      if (const double grown = growth(series); grown > most) most = grown, who = &series;
    }
    if (!who || most < 0.6 * growth(whole)) continue;
    leak.statement.text += fmt::format("; it is {} that grew, by {}", who->owner, GpuSize(most));
    leak.statement.from.push_back({who->source, who->points.back().line});
    const std::string& unit = context.findings.unit;
    if (unit.empty() ? who->owner != service : !unit.starts_with(who->owner))
      leak.owner = who->owner;
  }
}

}  // namespace

void FindLeaks(Context& context) {
  Findings& findings = context.findings;
  const Milliseconds length = findings.to - findings.from;
  for (std::size_t g = 0; g < findings.gauges.size(); ++g) {
    if (context.points(findings.gauges[g]).size() < 2) continue;
    std::vector<LeakFinding> found;
    Milliseconds covered{};
    for (const Phase& phase : findings.phases) {
      if (phase.kind != PhaseKind::kSteady && phase.kind != PhaseKind::kGrowing) continue;
      if (phase.to - phase.from < std::max(kShortest, length / 20)) continue;
      covered += phase.to - phase.from;
      found.push_back(Examine(context, g, phase.from, phase.to));
    }
    // Many short phases, as a sawtooth has: all of it up to the incident, without start and
    // loading.
    if (covered < length / 2) {
      Instant from = findings.from, to = findings.to;
      for (const Phase& phase : findings.phases) {
        if (phase.kind != PhaseKind::kStartUp && phase.kind != PhaseKind::kLoading) break;
        from = phase.to;
      }
      if (findings.onset && *findings.onset - from > length / 4) to = *findings.onset;
      found.push_back(Examine(context, g, from, to));
    }
    EndedGrowth(context, found);
    GivenBack(context, found);
    Attribute(context, found);
    findings.leaks.insert(findings.leaks.end(), found.begin(), found.end());
  }
}

}  // namespace headroom::analyze
