// Who held the memory at the baseline and at the peak; what has no known owner is a part of its
// own.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "observe/analyze/passes.h"

namespace headroom::analyze {
namespace {

std::map<std::string, double> Owners(const Evidence& evidence, Metric metric,
                                     const std::string& device, Instant at) {
  std::map<std::string, double> owners;
  for (const Series& series : evidence.series()) {
    if (series.metric != metric || series.owner.empty() || series.points.empty()) continue;
    if (!device.empty() && series.device != device) continue;
    // Numbers of an allocator come from log lines, rarely: the last one holds.
    const Milliseconds interval = metric == Metric::kVramUsed || metric == Metric::kRam
                                      ? TypicalInterval(series.points)
                                      : std::chrono::hours(24 * 365);
    const Point* held = HeldAt(series.points, at, interval);
    if (held)
      owners[series.owner] = std::max(owners[series.owner], static_cast<double>(held->value));
  }
  return owners;
}

void Gpu(Context& context, const Gauge& gauge, Instant at, double whole, const char* when) {
  const Evidence& evidence = context.evidence;
  const std::string& device = evidence.series()[gauge.series].device;
  Breakdown breakdown;
  breakdown.title = fmt::format("{} {}", gauge.name, when);
  breakdown.at = at;
  breakdown.whole = whole;
  const auto used = Owners(evidence, Metric::kVramUsed, device, at);
  const auto allocated = Owners(evidence, Metric::kVramAllocated, device, at);
  double sum = 0;
  const auto part = [&](std::string owner, double bytes, Basis basis) {
    breakdown.parts.push_back({std::move(owner), bytes, basis});
    sum += bytes;
  };
  for (const auto& [owner, bytes] : used) {
    const double own = used.size() == 1 && allocated.size() == 1 ? allocated.begin()->second
                       : allocated.contains(owner)               ? allocated.at(owner)
                                                                 : 0;
    if (own > 0 && own <= bytes) {
      part(owner + ": model and tensors", own, Basis::kMeasured);
      part(owner + ": context, libraries, cache", bytes - own, Basis::kDerived);
    } else {
      part(owner, bytes, Basis::kMeasured);
    }
  }
  if (used.empty()) {
    for (const auto& [owner, bytes] : allocated)
      part(owner + ": model and tensors", bytes, Basis::kMeasured);
  }
  if (breakdown.parts.empty()) return;  // no owner is known: the missing evidence says so
  breakdown.unaccounted = whole - sum;
  // More than the whole on a machine with several GPUs: which one a process is on was not recorded.
  const bool several = std::ranges::any_of(evidence.series(), [&](const Series& series) {
    return series.metric == Metric::kVramUsed && series.owner.empty() && series.device != device;
  });
  if (several && sum > 1.02 * whole) {
    context.findings.missing.push_back(
        "which GPU each process is on (nvidia-smi "
        "--query-compute-apps=timestamp,gpu_uuid,pid,process_name,"
        "used_memory)");
    return;
  }
  std::stable_sort(breakdown.parts.begin(), breakdown.parts.end(),
                   [](const Part& a, const Part& b) { return a.bytes > b.bytes; });
  context.findings.breakdowns.push_back(std::move(breakdown));
}

// The middle of the time for which the peak was held: programs are often read at other moments than
// the GPU is, and the first reading after a jump knows only the owners from before it.
Instant MiddleOfPeak(const Gauge& gauge, Points points) {
  const auto peak = std::find_if(points.begin(), points.end(),
                                 [&](const Point& point) { return point.at >= gauge.peak_at; });
  auto last = peak;
  while (last != points.end() && static_cast<double>(last->value) >= 0.99 * gauge.peak) ++last;
  return peak == last ? gauge.peak_at : peak[(last - peak) / 2].at;
}

Instant BaselineAt(const Gauge& gauge, Points points) {
  Instant calm = points[points.size() / 2].at;
  for (const Point& point : points) {
    if (point.line == gauge.baseline_from.line) calm = point.at;
  }
  return calm;
}

// By the processes of the service, "OWNER/ROLE", where they were recorded; else only what came on
// top.
void Host(Context& context, const Gauge& gauge, Instant at, double whole, const char* when) {
  const std::string prefix = context.evidence.series()[gauge.series].owner + "/";
  Breakdown breakdown;
  breakdown.title = fmt::format("{} {}", gauge.name, when);
  breakdown.at = at;
  breakdown.whole = whole;
  double sum = 0;
  for (const auto& [owner, bytes] : Owners(context.evidence, Metric::kRam, "", at)) {
    if (!owner.starts_with(prefix) || bytes <= 0) continue;
    breakdown.parts.push_back({owner.substr(prefix.size()), bytes, Basis::kMeasured});
    sum += bytes;
  }
  if (breakdown.parts.empty()) {
    if (whole <= gauge.baseline) return;
    sum = gauge.baseline;
    breakdown.parts.push_back({"what it holds at baseline", sum, Basis::kDerived});
  }
  breakdown.unaccounted = whole - sum;
  std::ranges::stable_sort(breakdown.parts, std::ranges::greater{}, &Part::bytes);
  context.findings.breakdowns.push_back(std::move(breakdown));
}

}  // namespace

void FindBreakdowns(Context& context) {
  for (const Gauge& gauge : context.findings.gauges) {
    const Series& series = context.evidence.series()[gauge.series];
    if (series.points.empty()) continue;
    if (gauge.kind == GaugeKind::kVram && series.owner.empty()) {
      Gpu(context, gauge, BaselineAt(gauge, series.points), gauge.baseline, "at baseline");
      if (gauge.peak > gauge.baseline * 1.02)
        Gpu(context, gauge, MiddleOfPeak(gauge, series.points), gauge.peak, "at its peak");
    }
    if (gauge.kind == GaugeKind::kRam) {
      Host(context, gauge, BaselineAt(gauge, series.points), gauge.baseline, "at baseline");
      if (gauge.peak > gauge.baseline * 1.2)
        Host(context, gauge, gauge.peak_at, gauge.peak, "at its peak");
    }
  }
}

}  // namespace headroom::analyze
