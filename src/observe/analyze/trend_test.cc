#include "observe/analyze/trend.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "observe/analyze/changepoint.h"

namespace headroom::analyze {
namespace {

struct Line {
  std::vector<double> x, y;
};

Line Made(std::size_t n, double slope, double noise, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, 1);
  Line line;
  for (std::size_t i = 0; i < n; ++i) {
    line.x.push_back(static_cast<double>(i));
    line.y.push_back(100 + slope * static_cast<double>(i) + noise * normal(random));
  }
  return line;
}

TEST(Trend, FindsTheSlopeThroughOutliers) {
  Line line = Made(200, 0.5, 1);
  for (std::size_t i = 0; i < 200; i += 10) line.y[i] = 1000;  // a tenth is nonsense
  const Trend trend = TrendOf(line.x, line.y);
  EXPECT_NEAR(trend.slope, 0.5, 0.02);
  EXPECT_LT(trend.low, 0.5);
  EXPECT_GT(trend.high, 0.5);
  EXPECT_LT(trend.p, 1e-6);
}

TEST(Trend, TheIntervalHoldsTheTruth) {
  int inside = 0, found = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    const Line flat = Made(100, 0, 5, seed);
    const Trend trend = TrendOf(flat.x, flat.y);
    inside += trend.low <= 0 && trend.high >= 0;
    found += trend.p < 0.01;
  }
  EXPECT_GE(inside, 180);  // 95 % of 200, generously
  EXPECT_LE(found, 8);     // 1 % of 200, generously
}

TEST(Trend, NeighboursThatDependOnEachOtherAreNoTrend) {
  int found = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    Line walk = Made(150, 0, 1, seed);
    for (std::size_t i = 1; i < walk.y.size(); ++i)
      walk.y[i] = 0.8 * (walk.y[i - 1] - 100) + walk.y[i];
    found += TrendOf(walk.x, walk.y).p < 0.01;
  }
  EXPECT_LE(found, 8);
}

TEST(Trend, TooFewSayNothing) {
  const Line line = Made(3, 10, 0);
  const Trend trend = TrendOf(line.x, line.y);
  EXPECT_EQ(trend.p, 1);
  EXPECT_TRUE(std::isinf(trend.high));
  const Line constant = Made(50, 0, 0);
  EXPECT_EQ(TrendOf(constant.x, constant.y).p, 1);
  EXPECT_EQ(TrendOf(constant.x, constant.y).slope, 0);
}

TEST(ChangePoints, AreFoundWhereTheyAre) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal(0, 1);
  std::vector<double> steps, ramp;
  for (int i = 0; i < 400; ++i) {
    steps.push_back((i < 100 ? 0 : i < 250 ? 20 : 5) + normal(random));
    ramp.push_back(0.1 * i + normal(random));
  }
  const std::vector<std::vector<double>> rows = {steps, ramp};
  const std::vector<std::size_t> points = ChangePoints(rows, 60);
  ASSERT_EQ(points.size(), 2u);
  EXPECT_NEAR(static_cast<double>(points[0]), 100, 1);
  EXPECT_NEAR(static_cast<double>(points[1]), 250, 1);
  EXPECT_TRUE(ChangePoints(std::vector<std::vector<double>>{ramp}, 60).empty())
      << "a slow climb is one piece";
  EXPECT_TRUE(ChangePoints(std::vector<std::vector<double>>(), 60).empty());
  EXPECT_TRUE(ChangePoints(std::vector<std::vector<double>>{{1, 2}}, 60).empty());
}

}  // namespace
}  // namespace headroom::analyze
