#include "observe/analyze/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "memory/fit.h"

namespace headroom::analyze {

Milliseconds TypicalInterval(Points points) {
  if (points.size() < 2) return Milliseconds(0);
  const std::size_t step = std::max<std::size_t>(1, points.size() / 20'000);
  std::vector<std::int64_t> distances;
  distances.reserve(points.size() / step + 1);
  for (std::size_t i = 1; i < points.size(); i += step)
    distances.push_back((points[i].at - points[i - 1].at).count());
  const auto middle = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
  std::nth_element(distances.begin(), middle, distances.end());
  return Milliseconds(*middle);
}

Milliseconds GapLength(Milliseconds interval) {
  return std::max(5 * interval, interval + Milliseconds(10'000));
}

const Point* HeldAt(Points points, Instant at, Milliseconds interval) {
  const auto after = std::upper_bound(points.begin(), points.end(), at,
                                      [](Instant t, const Point& point) { return t < point.at; });
  if (after == points.begin()) return nullptr;
  const Point& held = *(after - 1);
  const bool gap = after == points.end()
                       ? at - held.at > GapLength(interval)
                       : after->at - held.at > GapLength(interval) && at - held.at > interval;
  return gap ? nullptr : &held;
}

Points Between(Points points, Instant from, Instant to) {
  const auto before = [](const Point& point, Instant t) { return point.at < t; };
  const auto begin = std::lower_bound(points.begin(), points.end(), from, before);
  const auto end = std::lower_bound(begin, points.end(), to, before);
  return {begin, end};
}

double Median(std::vector<double>& values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

double MedianOf(Points points) {
  std::vector<double> values;
  const std::size_t step = std::max<std::size_t>(1, points.size() / 200'000);
  values.reserve(points.size() / step + 1);
  for (std::size_t i = 0; i < points.size(); i += step)
    values.push_back(static_cast<double>(points[i].value));
  return Median(values);
}

std::vector<double> Bins(Points points, Instant from, Milliseconds width, std::size_t count) {
  std::vector<double> bins(count, std::numeric_limits<double>::quiet_NaN());
  std::vector<double> values;
  std::size_t next = 0;
  double held = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t bin = 0; bin < count; ++bin) {
    const Instant end = from + width * static_cast<std::int64_t>(bin + 1);
    values.clear();
    while (next < points.size() && (points[next].at < end || bin + 1 == count))
      values.push_back(static_cast<double>(points[next++].value));
    if (!values.empty()) {
      held = values.back();
      bins[bin] = Median(values);
    } else {
      bins[bin] = held;
    }
  }
  return bins;
}

Medians MediansOf(Points points, Milliseconds width) {
  Medians medians;
  if (points.empty()) return medians;
  const Instant zero = points.front().at;
  std::vector<double> values;
  std::int64_t bin = 0;
  const auto finish = [&] {
    if (values.empty()) return;
    medians.hours.push_back((static_cast<double>(bin) + 0.5) * static_cast<double>(width.count()) /
                            3.6e6);
    medians.values.push_back(Median(values));
    values.clear();
  };
  for (const Point& point : points) {
    const std::int64_t own = (point.at - zero) / width;
    if (own != bin) finish(), bin = own;
    values.push_back(static_cast<double>(point.value));
  }
  finish();
  return medians;
}

std::string Size(double bytes) {
  if (std::abs(bytes) < 999.95e6) return fmt::format("{:.1f} MB", bytes / 1e6);
  return fmt::format("{:.2f} GB", bytes / 1e9);
}

std::string GpuSize(double bytes) {
  return memory::Mebibytes(Bytes(std::llround(bytes))) + " MiB";
}

}  // namespace headroom::analyze
