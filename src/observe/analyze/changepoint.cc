#include "observe/analyze/changepoint.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace headroom::analyze {
namespace {

struct Sums {
  double y = 0, yy = 0, xy = 0;
};

// Squared distance of [begin, end) from its regression line, by prefix sums.
class Cost {
 public:
  explicit Cost(std::span<const std::vector<double>> rows) {
    for (const std::vector<double>& row : rows) {
      double mean = 0;  // taken out, so that the sums keep their digits
      for (const double value : row) mean += value;
      mean /= static_cast<double>(std::max<std::size_t>(1, row.size()));
      std::vector<Sums> sums(row.size() + 1);
      for (std::size_t i = 0; i < row.size(); ++i) {
        const double y = row[i] - mean;
        sums[i + 1] = {sums[i].y + y, sums[i].yy + y * y, sums[i].xy + y * static_cast<double>(i)};
      }
      rows_.push_back(std::move(sums));
    }
  }

  double operator()(std::size_t begin, std::size_t end) const {
    const auto n = static_cast<double>(end - begin);
    if (end - begin < 2) return 0;
    const double first = static_cast<double>(begin);
    const double mean_x = first + (n - 1) / 2;
    const double sxx = n * (n * n - 1) / 12;
    double cost = 0;
    for (const std::vector<Sums>& sums : rows_) {
      const double y = sums[end].y - sums[begin].y;
      const double yy = sums[end].yy - sums[begin].yy;
      const double xy = sums[end].xy - sums[begin].xy;
      const double sxy = xy - mean_x * y;
      const double syy = yy - y * y / n;
      cost += std::max(0.0, syy - (sxx > 0 ? sxy * sxy / sxx : 0));
    }
    return cost;
  }

 private:
  std::vector<std::vector<Sums>> rows_;
};

}  // namespace

std::vector<std::size_t> ChangePoints(std::span<const std::vector<double>> rows, double penalty) {
  if (rows.empty() || rows.front().size() < 4) return {};
  const std::size_t n = rows.front().size();
  const Cost cost(rows);
  std::vector<double> best(n + 1, std::numeric_limits<double>::infinity());
  std::vector<std::size_t> from(n + 1, 0), candidates = {0};
  best[0] = -penalty;
  std::vector<double> value;
  for (std::size_t end = 1; end <= n; ++end) {
    value.resize(candidates.size());
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      value[c] = best[candidates[c]] + cost(candidates[c], end);
      if (value[c] + penalty < best[end]) {
        best[end] = value[c] + penalty;
        from[end] = candidates[c];
      }
    }
    std::size_t kept = 0;
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      if (value[c] <= best[end]) candidates[kept++] = candidates[c];
    }
    candidates.resize(kept);
    candidates.push_back(end);
  }
  std::vector<std::size_t> points;
  for (std::size_t end = n; from[end] > 0; end = from[end]) points.push_back(from[end]);
  std::reverse(points.begin(), points.end());
  return points;
}

double Noise(std::span<const double> values) {
  std::vector<double> steps;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const double step = std::abs(values[i] - values[i - 1]);
    if (std::isfinite(step)) steps.push_back(step);
  }
  if (steps.empty()) return 0;
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  return *middle / 0.6745 / std::sqrt(2.0);
}

}  // namespace headroom::analyze
