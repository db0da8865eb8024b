#include "observe/watch/top.h"

#include <algorithm>

namespace headroom::watch {
namespace {

using memory::Gauge;
using memory::Zone;

constexpr std::size_t kPairsOf = 60;  // points that slopes are taken between
constexpr Milliseconds kSlopeOver{300'000}, kLeastSpan{30'000}, kLongest{86'400'000};

std::optional<double> N(const std::optional<Bytes>& bytes) {
  return bytes ? std::optional(static_cast<double>(bytes->n)) : std::nullopt;
}

}  // namespace

std::optional<Milliseconds> TimeToLimit(std::span<const Point> points, double limit) {
  if (points.size() < 8) return std::nullopt;
  const MonoTime end = points.back().at;
  while (end - points.front().at > kSlopeOver) points = points.subspan(1);
  if (points.size() < 8 || end - points.front().at < kLeastSpan) return std::nullopt;
  const std::size_t step = (points.size() + kPairsOf - 1) / kPairsOf;
  std::vector<double> slopes;  // per millisecond
  for (std::size_t i = 0; i < points.size(); i += step) {
    for (std::size_t j = i + step; j < points.size(); j += step) {
      const double ms =
          std::chrono::duration<double, std::milli>(points[j].at - points[i].at).count();
      if (ms > 0) slopes.push_back((points[j].value - points[i].value) / ms);
    }
  }
  if (slopes.empty()) return std::nullopt;
  std::ranges::sort(slopes);
  if (slopes[slopes.size() / 4] <= 0) return std::nullopt;
  const double slope = slopes[slopes.size() / 2];
  const double left = limit - points.back().value;
  if (left <= 0) return Milliseconds(0);
  const double ms = left / slope;
  if (ms > static_cast<double>(kLongest.count())) return std::nullopt;
  return Milliseconds(static_cast<std::int64_t>(ms));
}

void TopModel::Track(const std::string& key, MonoTime at, std::optional<double> value) {
  std::deque<Point>& points = points_[key];
  if (value && (points.empty() || at > points.back().at)) points.push_back({at, *value});
  while (!points.empty() && (at - points.front().at > kReach || points.size() > kMostPoints))
    points.pop_front();
}

void TopModel::Add(record::Sample sample) {
  const MonoTime at = sample.at.mono;
  if (last_ && at < last_->at.mono) points_.clear();  // another boot
  for (const record::GpuSample& gpu : sample.gpus) Track("card " + gpu.gpu, at, N(gpu.used));
  Track("RAM", at, N(sample.service.ram));
  Track("swap", at, N(sample.service.swap));
  const auto& host = sample.host;
  Track("host", at, host.total && host.available ? N(*host.total - *host.available) : std::nullopt);
  Track("PSI", at, host.psi_some);
  last_ = std::move(sample);
}

void TopModel::Note(record::Event event) {
  events_.push_back(std::move(event));
  while (events_.size() > kMostEvents) events_.pop_front();
}

GaugeLine TopModel::Line(std::string what, const std::string& key, std::optional<double> used,
                         std::optional<double> limit, std::optional<Zone> zone) const {
  GaugeLine line;
  line.what = std::move(what);
  line.used = used, line.limit = limit, line.zone = zone;
  const auto points = points_.find(key);
  if (points == points_.end()) return line;
  const std::vector<Point> all(points->second.begin(), points->second.end());
  for (const Point& point : all) line.history.push_back(point.value);
  if (limit && line.what != "PSI") line.to_limit = TimeToLimit(all, *limit);
  return line;
}

TopState TopModel::state() const {
  TopState state;
  state.title = title_;
  state.events.assign(events_.begin(), events_.end());
  state.owners = owners_;
  std::ranges::stable_sort(state.owners, std::ranges::greater(), &Owner::used);
  if (!last_) return state;
  state.at = last_->at;
  const auto& service = last_->service;
  const auto& host = last_->host;
  state.tier = service.tier;
  const auto zone = [&](Gauge gauge) { return service.zones[static_cast<std::size_t>(gauge)]; };
  for (const record::GpuSample& gpu : last_->gpus) {
    const auto vram =
        gpu.used && gpu.total ? memory::VramZone(thresholds_, *gpu.used, *gpu.total) : std::nullopt;
    GaugeLine line = Line("VRAM", "card " + gpu.gpu, N(gpu.used), N(gpu.total), vram);
    const auto name = names_.find(gpu.gpu);
    line.name = name == names_.end() || name->second.empty() ? gpu.gpu : name->second;
    line.own = N(gpu.own), line.others = N(gpu.others());
    if (gpu.state != record::GpuState::kActive) line.note = Name(gpu.state);
    state.gauges.push_back(std::move(line));
  }
  if (service.ram) {
    // A limit of the control group is a limit; without one the critical threshold is.
    const Bytes critical =
        memory::RamThresholds(thresholds_, service.cgroup_high, host.total).critical;
    const auto limit = service.room ? N(*service.ram + *service.room) : N(critical);
    GaugeLine line = Line("RAM", "RAM", N(service.ram), limit, zone(Gauge::kRam));
    if (service.room) line.note = "limit of the control group";
    state.gauges.push_back(std::move(line));
    state.gauges.push_back(
        Line("swap", "swap", N(service.swap), N(thresholds_.swap.critical), zone(Gauge::kSwap)));
  }
  if (host.total && host.available)
    state.gauges.push_back(
        Line("host", "host", N(*host.total - *host.available), N(host.total), std::nullopt));
  if (host.psi_some)
    state.gauges.push_back(Line("PSI", "PSI", host.psi_some, 100.0, zone(Gauge::kPressure)));
  state.processes = last_->processes;
  std::ranges::stable_sort(state.processes, std::ranges::greater(), [](const auto& process) {
    return std::max(process.counted.value_or(Bytes()), process.gpu.value_or(Bytes()));
  });
  return state;
}

}  // namespace headroom::watch
