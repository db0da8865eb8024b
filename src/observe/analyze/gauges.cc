// Which quantities are followed, and how long each was in which zone.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "observe/analyze/passes.h"

namespace headroom::analyze {
namespace {

constexpr std::size_t kMostGauges = 12;
constexpr std::size_t kMostGaps = 100;

std::optional<double> LastOf(const Evidence& evidence, Metric metric, const std::string& device) {
  std::optional<double> value;
  std::uint64_t most = 0;  // a tool that reads the GPU knows better than one refused allocation
  for (const Series& series : evidence.series()) {
    if (series.metric != metric || series.points.empty()) continue;
    if (!device.empty() && series.device != device) continue;
    if (series.seen > most) most = series.seen, value = series.points.back().value;
  }
  return value;
}

memory::ZoneLevels<double> VramThresholds(const memory::Thresholds& thresholds, double total) {
  return {thresholds.vram.warning * total / 100, thresholds.vram.danger * total / 100,
          thresholds.vram.critical * total / 100};
}

memory::ZoneLevels<double> Plain(const memory::ZoneLevels<Bytes>& thresholds) {
  return {static_cast<double>(thresholds.warning.n), static_cast<double>(thresholds.danger.n),
          static_cast<double>(thresholds.critical.n)};
}

// Our zones of RAM are our own service's policy. Another one's limits are its own: MemoryMax and
// MemoryHigh, else the host's memory; without any of them there are no zones.
std::optional<memory::ZoneLevels<double>> OfOthers(std::optional<double> high,
                                                   std::optional<double> most,
                                                   std::optional<double> host) {
  std::optional<double> limit = most;
  for (const std::optional<double>& other : {high, host})
    if (other && *other > 0 && (!limit || *other < *limit)) limit = other;
  if (!limit) return std::nullopt;
  return memory::ZoneLevels<double>{0.8 * *limit, 0.9 * *limit, 0.97 * *limit};
}

void Measure(Gauge& gauge, Points points, std::uint32_t source) {
  gauge.interval = TypicalInterval(points);
  const Milliseconds gap = GapLength(gauge.interval);
  gauge.peak = -1;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto value = static_cast<double>(points[i].value);
    if (value > gauge.peak) {
      gauge.peak = value;
      gauge.peak_at = points[i].at;
      gauge.peak_from = {source, points[i].line};
    }
    if (i + 1 == points.size()) break;
    Milliseconds held = points[i + 1].at - points[i].at;
    if (held > gap) {
      gauge.unknown += held - gauge.interval;
      if (gauge.gaps.size() < kMostGaps)
        gauge.gaps.emplace_back(points[i].at + gauge.interval, points[i + 1].at);
      held = gauge.interval;
    }
    gauge.known += held;
    if (gauge.zoned) gauge.zone_time[static_cast<std::size_t>(gauge.thresholds.Of(value))] += held;
  }
  gauge.last = static_cast<double>(points.back().value);
  if (gauge.zoned) gauge.peak_zone = gauge.thresholds.Of(gauge.peak);
}

std::string Plainly(const std::string& unit) {
  const auto dot = unit.rfind(".service");
  return dot == std::string::npos ? unit : unit.substr(0, dot);
}

}  // namespace

void FindGauges(Context& context) {
  const Evidence& evidence = context.evidence;
  Findings& findings = context.findings;
  const auto add = [&](GaugeKind kind, std::string name, std::size_t index,
                       std::optional<double> total,
                       std::optional<memory::ZoneLevels<double>> thresholds) {
    if (findings.gauges.size() >= kMostGauges) return;
    Gauge gauge;
    gauge.kind = kind;
    gauge.name = std::move(name);
    gauge.series = index;
    gauge.total = total;
    gauge.zoned = thresholds.has_value();
    gauge.thresholds = thresholds.value_or(memory::ZoneLevels<double>{});
    const Series& series = evidence.series()[index];
    Measure(gauge, series.points, series.source);
    findings.gauges.push_back(std::move(gauge));
  };

  // Gpus: the device-wide series with the most readings; without one, the largest owner's.
  std::vector<std::string> devices;
  for (const Series& series : evidence.series()) {
    if (series.metric == Metric::kVramUsed && !series.points.empty() &&
        std::find(devices.begin(), devices.end(), series.device) == devices.end())
      devices.push_back(series.device);
  }
  std::sort(devices.begin(), devices.end());
  for (const std::string& device : devices) {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < evidence.series().size(); ++i) {
      const Series& series = evidence.series()[i];
      if (series.metric != Metric::kVramUsed || series.device != device || series.points.empty())
        continue;
      const auto rank = [&](std::size_t of) {
        const Series& other = evidence.series()[of];
        return std::pair(other.owner.empty(), other.seen);
      };
      if (!best || rank(i) > rank(*best)) best = i;
    }
    std::optional<double> total = LastOf(evidence, Metric::kVramTotal, device);
    if (!total) total = context.options.gpu;
    if (total && *total <= 0) total.reset();
    std::optional<memory::ZoneLevels<double>> thresholds;
    if (total) thresholds = VramThresholds(context.options.thresholds, *total);
    const std::string& owner = evidence.series()[*best].owner;
    add(GaugeKind::kVram,
        owner.empty() ? "VRAM of " + device : fmt::format("VRAM of {} by {}", device, owner), *best,
        total, thresholds);
  }

  // Host: the service's own series, else the largest.
  std::optional<double> high = LastOf(evidence, Metric::kMemoryHigh, "");
  if (high && *high > 1e15) high.reset();  // "infinity"
  std::optional<double> most = LastOf(evidence, Metric::kMemoryMax, "");
  if (most && *most > 1e15) most.reset();
  const std::optional<double> host = LastOf(evidence, Metric::kHostTotal, "");
  const auto bytes = [](std::optional<double> value) {
    return value ? std::optional(Bytes(std::llround(*value))) : std::nullopt;
  };
  for (const Metric metric : {Metric::kRam, Metric::kSwap}) {
    std::optional<std::size_t> best;
    std::tuple<bool, bool, float> best_rank;
    for (std::size_t i = 0; i < evidence.series().size(); ++i) {
      const Series& series = evidence.series()[i];
      const bool host_swap = metric == Metric::kSwap && series.metric == Metric::kHostSwap;
      if ((series.metric != metric && !host_swap) || series.points.empty()) continue;
      float largest = 0;
      for (const Point& point : series.points) largest = std::max(largest, point.value);
      const bool named = !context.options.unit.empty() && !series.owner.empty() &&
                         Plainly(series.owner) == Plainly(context.options.unit);
      // A series over time says more than one number of `systemctl status`.
      const auto rank =
          std::tuple(named && series.points.size() > 2, series.points.size() > 2, largest);
      if (!best || rank > best_rank) best = i, best_rank = rank;
    }
    if (!best) continue;
    const Series& series = evidence.series()[*best];
    const std::string whose = series.owner.empty()
                                  ? (series.metric == Metric::kHostSwap ? " of the machine" : "")
                                  : " of " + Plainly(series.owner);
    if (metric == Metric::kRam)
      add(GaugeKind::kRam, "RAM" + whose, *best, std::nullopt,
          context.options.own
              ? Plain(memory::RamThresholds(context.options.thresholds, bytes(high), bytes(host)))
              : OfOthers(high, most, host));
    else
      add(GaugeKind::kSwap, "swap" + whose, *best, std::nullopt,
          context.options.own ? std::optional(Plain(context.options.thresholds.swap))
                              : std::nullopt);
  }

  // A peak reported afterwards counts when it is above what the samples caught.
  for (Gauge& gauge : findings.gauges) {
    if (gauge.kind == GaugeKind::kVram) continue;
    const Metric peak = gauge.kind == GaugeKind::kRam ? Metric::kRamPeak : Metric::kSwapPeak;
    for (const Series& series : evidence.series()) {
      if (series.metric != peak) continue;
      const std::string& owner = evidence.series()[gauge.series].owner;
      if (!owner.empty() && !series.owner.empty() && Plainly(owner) != Plainly(series.owner))
        continue;
      for (const Point& point : series.points) {
        if (static_cast<double>(point.value) <= gauge.peak * 1.02) continue;
        gauge.peak = static_cast<double>(point.value);
        gauge.peak_at = point.at;
        gauge.peak_from = {series.source, point.line};
        gauge.peak_untimed = true;
        gauge.peak_zone = gauge.thresholds.Of(gauge.peak);
      }
    }
  }
}

std::string Context::Share(const Gauge& gauge, double value) const {
  return gauge.total ? fmt::format("{:.1f} %", 100 * value / *gauge.total) : "";
}

const Gauge* Context::First(GaugeKind kind) const {
  const Gauge* found = nullptr;  // of several GPUs the fullest
  for (const Gauge& gauge : findings.gauges) {
    if (gauge.kind != kind) continue;
    const auto share = [](const Gauge& g) { return g.total ? g.peak / *g.total : 0.0; };
    if (!found || share(gauge) > share(*found)) found = &gauge;
  }
  return found;
}

const Event* Context::Next(EventKind kind, Instant from, Instant to) const {
  const auto& events = evidence.events();
  auto at = std::lower_bound(events.begin(), events.end(), from,
                             [](const Event& event, Instant t) { return event.at < t; });
  for (; at != events.end() && at->at <= to; ++at) {
    if (evidence.type(*at).kind == kind) return &*at;
  }
  return nullptr;
}

const Event* Context::Last(EventKind kind, Instant from, Instant to) const {
  const auto& events = evidence.events();
  auto at = std::upper_bound(events.begin(), events.end(), to,
                             [](Instant t, const Event& event) { return t < event.at; });
  while (at != events.begin()) {
    --at;
    if (at->at < from) break;
    if (evidence.type(*at).kind == kind) return &*at;
  }
  return nullptr;
}

std::string Context::Describe(const Event& event) const {
  const EventType& type = evidence.type(event);
  std::string what = type.meaning.empty() ? type.name : type.meaning;
  if (const auto semicolon = what.find_first_of(";:"); semicolon != std::string::npos)
    what = what.substr(0, semicolon);
  std::string detail = type.code.empty() ? type.subject : type.code;
  return fmt::format("{}{} at {}", what, detail.empty() ? "" : " (" + detail + ")",
                     Clock(event.at));
}

bool Context::kernel_covered() const {
  constexpr std::chrono::hours kNear{1};
  return std::any_of(
      evidence.sources().begin(), evidence.sources().end(), [&](const Source& source) {
        if (!source.kernel) return false;
        if (!findings.onset || source.kernel_times.empty()) return true;
        const auto& times = source.kernel_times;
        const bool around = times.front() <= *findings.onset && times.back() >= *findings.onset;
        return around || std::any_of(times.begin(), times.end(), [&](Instant at) {
                 return std::chrono::abs(at - *findings.onset) <= kNear;
               });
      });
}

std::optional<double> Context::Figure(Metric metric, const Citation& from) const {
  for (const Series& series : evidence.series()) {
    if (series.metric != metric || series.source != from.source) continue;
    for (const Point& point : series.points)
      if (point.line == from.line) return static_cast<double>(point.value);
  }
  return std::nullopt;
}

}  // namespace headroom::analyze
