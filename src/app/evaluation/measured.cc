#include "app/evaluation/measured.h"

#include <algorithm>
#include <limits>

namespace headroom::evaluation {
namespace {

// Marks the front: by memory, those that are cheaper than everything smaller.
std::vector<Point> WithFront(std::vector<Point> points) {
  std::ranges::sort(points, [](const Point& a, const Point& b) {
    return std::pair(a.memory, a.cost) < std::pair(b.memory, b.cost);
  });
  double least = std::numeric_limits<double>::infinity();
  const Point* best = nullptr;
  for (Point& point : points) {
    const bool twin = best && point.memory <= best->memory && point.cost <= best->cost;
    point.front = point.cost < least || twin;
    if (point.front) best = &point;
    least = std::min(least, point.cost);
  }
  return points;
}

template <class Cost>
std::vector<Point> Points(const std::vector<Measured>& rows, const Cost& cost_of) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::optional<Bytes> memory = rows[i].Memory();
    const std::optional<double> cost = cost_of(rows[i]);
    if (memory && cost)
      points.push_back({.row = i,
                        .memory = static_cast<double>(memory->n) / (1 << 20),
                        .cost = *cost,
                        .published = rows[i].published});
  }
  return WithFront(std::move(points));
}

template <class T>
nlohmann::json OrNull(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

}  // namespace

std::string Measured::Title() const {
  return quantisation.empty() ? model : model + " " + quantisation;
}

std::vector<Point> ErrorsByMemory(const std::vector<Measured>& rows) {
  return Points(rows, [](const Measured& row) { return row.wer; });
}

std::vector<Point> TimeByMemory(const std::vector<Measured>& rows) {
  return Points(rows, [](const Measured& row) { return row.rate; });
}

nlohmann::json ShowJson(const std::vector<Measured>& rows, const Conditions& run) {
  nlohmann::json models = nlohmann::json::array();
  for (const Measured& row : rows) {
    const auto bytes = [](const std::optional<Bytes>& value) {
      return value ? nlohmann::json(value->n) : nlohmann::json();
    };
    nlohmann::json latencies = nlohmann::json::array();
    for (const Latency& one : row.latencies)
      latencies.push_back({{"audio_ms", one.audio.count()}, {"seconds", one.seconds}});
    models.push_back({{"model", row.model},
                      {"quantisation", row.quantisation},
                      {"bytes", row.size.n},
                      {"planned_bytes", bytes(row.plan)},
                      {"peak_bytes", bytes(row.peak)},
                      {"load_seconds", OrNull(row.load_seconds)},
                      {"seconds_per_second", OrNull(row.rate)},
                      {"latencies", latencies},
                      {"wer_percent", OrNull(row.wer)},
                      {"wer_published", row.published}});
    if (!row.error.empty()) models.back()["error"] = row.error;
  }
  const auto fronts = [&](const std::vector<Point>& points) {
    nlohmann::json names = nlohmann::json::array();
    for (const Point& point : points)
      if (point.front) names.push_back(rows[point.row].Title());
    return names;
  };
  return {{"models", models},
          {"best_errors_by_memory", fronts(ErrorsByMemory(rows))},
          {"best_time_by_memory", fronts(TimeByMemory(rows))},
          {"clips", {{"count", run.clips}, {"words", run.words}, {"seconds", run.seconds}}},
          {"threads", run.threads},
          {"planned_for_ms", run.longest.count()},
          {"published_wer", run.wer_source}};
}

}  // namespace headroom::evaluation
