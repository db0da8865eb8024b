#include "observe/analyze/trend.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace headroom::analyze {
namespace {

// Kendall's variance of S, with groups of equal values.
double Variance(std::span<const double> y) {
  const auto term = [](double n) { return n * (n - 1) * (2 * n + 5); };
  double variance = term(static_cast<double>(y.size()));
  std::vector<double> sorted(y.begin(), y.end());
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t j = i;
    while (j < sorted.size() && sorted[j] == sorted[i]) ++j;
    variance -= term(static_cast<double>(j - i));
    i = j;
  }
  return variance / 18;
}

// How much of the variance neighbours that depend on each other add: (1 + r) / (1 - r) of what the
// line leaves.
double Dependence(std::span<const double> x, std::span<const double> y, double slope) {
  std::vector<double> left;
  double mean = 0;
  for (std::size_t i = 0; i < y.size(); ++i)
    left.push_back(y[i] - slope * x[i]), mean += left.back();
  mean /= static_cast<double>(y.size());
  double same = 0, next = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    same += (left[i] - mean) * (left[i] - mean);
    if (i > 0) next += (left[i] - mean) * (left[i - 1] - mean);
  }
  const double r = same > 0 ? std::clamp(next / same, 0.0, 0.95) : 0;
  return (1 + r) / (1 - r);
}

}  // namespace

Trend TrendOf(std::span<const double> x, std::span<const double> y) {
  Trend trend;
  trend.low = -std::numeric_limits<double>::infinity();
  trend.high = -trend.low;
  const std::size_t n = y.size();
  if (n < 4) return trend;
  std::vector<double> slopes;
  slopes.reserve(n * (n - 1) / 2);
  double s = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) {
      slopes.push_back((y[j] - y[i]) / (x[j] - x[i]));
      s += y[j] > y[i] ? 1 : y[j] < y[i] ? -1 : 0;
    }
  }
  std::sort(slopes.begin(), slopes.end());
  const std::size_t count = slopes.size();
  trend.slope = count % 2 ? slopes[count / 2] : (slopes[count / 2 - 1] + slopes[count / 2]) / 2;
  const double variance = Variance(y) * Dependence(x, y, trend.slope);
  const double deviation = std::sqrt(std::max(variance, 0.0));
  const double reach = 1.96 * deviation;
  const auto at = [&](double rank) {
    return slopes[static_cast<std::size_t>(std::clamp(rank, 0.0, static_cast<double>(count - 1)))];
  };
  trend.low = at((static_cast<double>(count) - reach) / 2);
  trend.high = at((static_cast<double>(count) + reach) / 2);
  trend.tau = s / static_cast<double>(count);
  if (deviation > 0) {
    const double z = (std::abs(s) - 1) / deviation;
    trend.p = z > 0 ? std::erfc(z / std::sqrt(2.0)) : 1;
  }
  return trend;
}

}  // namespace headroom::analyze
