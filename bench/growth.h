// What a series of readings says about growth, and what it cannot exclude. Pure.
//
// The slope is Theil and Sen's over at most 300 medians, with its 95 % interval; the first tenth is
// left out. Times the length that is what was gained: at least `least`, at most `most`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "observe/analyze/trend.h"

namespace headroom::evaluation {

struct Reading {
  double hours = 0, mebibytes = 0;
};

enum class Growth {
  kFlat,       // even the interval's upper end is within what is allowed
  kUndecided,  // nothing is beyond doubt, and more than is allowed is not excluded
  kGrows,      // even the lower end is above it
};
inline std::string_view Name(Growth growth) {
  switch (growth) {
    case Growth::kFlat:
      return "flat";
    case Growth::kUndecided:
      return "undecided";
    case Growth::kGrows:
      return "GROWS";
  }
  return "";
}

/// What may be gained in a run: 2 % of what was there, or a MiB (a heap has that much of holes).
inline double Allowed(double first) {
  return std::max(0.02 * first, 1.0);
}

struct GrowthResult {
  Growth growth = Growth::kUndecided;  // with fewer than kFewest medians
  analyze::Trend trend;                // MiB an hour
  double low = 0, high = 0;            // of the medians, MiB
  double least = 0, most = 0;          // gained in the time looked at, MiB; at least 0
  double allowed = 0;
  std::size_t medians = 0;
  static constexpr std::size_t kFewest = 20, kMost = 300;
};

/// `readings` ascend in time.
inline GrowthResult JudgeGrowth(std::span<const Reading> readings) {
  GrowthResult result;
  readings = readings.subspan(readings.size() / 10);
  const std::size_t each = std::max<std::size_t>(1, readings.size() / GrowthResult::kMost);
  std::vector<double> hours, values;
  for (std::size_t i = 0; i + each <= readings.size(); i += each) {
    std::vector<double> part;
    for (const Reading& one : readings.subspan(i, each)) part.push_back(one.mebibytes);
    std::ranges::nth_element(part, part.begin() + static_cast<std::ptrdiff_t>(each / 2));
    hours.push_back(readings[i].hours);
    values.push_back(part[each / 2]);
  }
  result.medians = values.size();
  if (values.empty()) return result;
  const auto [low, high] = std::ranges::minmax(values);
  result.low = low;
  result.high = high;
  result.trend = analyze::TrendOf(hours, values);
  result.allowed = Allowed(values.front());
  if (values.size() < GrowthResult::kFewest) return result;
  const double length = hours.back() - hours.front();
  result.least = std::max(0.0, result.trend.low) * length;
  result.most = std::max(0.0, result.trend.high) * length;
  result.growth = result.least > result.allowed  ? Growth::kGrows
                  : result.most > result.allowed ? Growth::kUndecided
                                                 : Growth::kFlat;
  return result;
}

}  // namespace headroom::evaluation
