// Arithmetic on points in time. Pure. A reading holds until the next one, unless that is a gap
// away: then it holds for one typical interval, and the rest is unknown.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "observe/analyze/evidence.h"

namespace headroom::analyze {

using Points = std::span<const Point>;

/// The median distance of two readings; zero with fewer than two.
Milliseconds TypicalInterval(Points points);
/// Readings farther apart than this have a gap between them.
Milliseconds GapLength(Milliseconds interval);
/// The reading that holds at `at`; nullptr in a gap and outside.
const Point* HeldAt(Points points, Instant at, Milliseconds interval);
Points Between(Points points, Instant from, Instant to);
/// NaN of nothing. Reorders.
double Median(std::vector<double>& values);
double MedianOf(Points points);

/// Medians of equal stretches of time; where nothing was read the value before, NaN in front.
std::vector<double> Bins(Points points, Instant from, Milliseconds width, std::size_t count);
/// Medians of stretches that hold readings, with the middle of each in hours since the first point.
struct Medians {
  std::vector<double> hours, values;
};
Medians MediansOf(Points points, Milliseconds width);

/// "789.7 MB", "6.00 GB": memory of the host.
std::string Size(double bytes);
/// "3740 MiB": memory of GPUs.
std::string GpuSize(double bytes);

}  // namespace headroom::analyze
