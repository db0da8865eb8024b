// Does a series grow? Theil-Sen slope with Sen's interval, and the Mann-Kendall test with ties and
// with fewer effective readings where neighbours depend on each other (Hamed and Rao 1998, lag 1).
// Pure; quadratic in the length, so it is given at most a few hundred medians.
#pragma once

#include <span>

namespace headroom::analyze {

struct Trend {
  double slope = 0, low = 0, high = 0;  // y by x, with the 95 % interval
  double tau = 0;                       // Kendall's, -1…1
  double p = 1;                         // two-sided
};

/// `x` ascends strictly; both of one length. Fewer than four readings: p is 1 and the interval is
/// infinite.
Trend TrendOf(std::span<const double> x, std::span<const double> y);

}  // namespace headroom::analyze
