// The judgement of bench/soak: what grows is found, what does not is not accused, and what cannot
// be known is not claimed.
#include "bench/growth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace headroom::evaluation {
namespace {

// `n` readings of a run of `minutes`, MiB by time, with noise as resident memory has it.
template <class Level>
std::vector<Reading> Made(std::size_t n, double minutes, double noise, unsigned seed, Level level) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, noise);
  std::vector<Reading> readings;
  for (std::size_t i = 0; i < n; ++i) {
    const double hours = minutes / 60 * static_cast<double>(i) / static_cast<double>(n);
    readings.push_back({hours, level(hours) + normal(random)});
  }
  return readings;
}

TEST(Growth, ALeakIsFoundAndNoiseIsNot) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto leak = Made(104, 10, 0.3, seed, [](double hours) { return 12 + 20 * hours; });
    EXPECT_EQ(JudgeGrowth(leak).growth, Growth::kGrows) << seed;
    const auto flat = Made(104, 10, 0.3, seed, [](double) { return 12.0; });
    const GrowthResult judged = JudgeGrowth(flat);
    EXPECT_EQ(judged.growth, Growth::kFlat) << seed;
    EXPECT_LT(judged.most, judged.allowed);
  }
}

TEST(Growth, WhatIsTakenOnceIsNoLeak) {
  const auto warm = Made(104, 10, 0.1, 1, [](double hours) { return hours < 0.01 ? 5.0 : 12.0; });
  EXPECT_EQ(JudgeGrowth(warm).growth, Growth::kFlat);
  const auto step = Made(104, 10, 0.1, 1, [](double hours) { return hours < 0.08 ? 12.0 : 12.4; });
  EXPECT_NE(JudgeGrowth(step).growth, Growth::kGrows);
}

TEST(Growth, TenHoursSeeWhatTenMinutesCannot) {
  const auto slow = [](double hours) { return 12 + 0.5 * hours; };
  EXPECT_NE(JudgeGrowth(Made(104, 10, 0.3, 1, slow)).growth, Growth::kGrows);
  EXPECT_EQ(JudgeGrowth(Made(6240, 600, 0.3, 1, slow)).growth, Growth::kGrows);
}

TEST(Growth, LoudReadingsAreNoVerdict) {
  const GrowthResult judged = JudgeGrowth(Made(104, 10, 20, 1, [](double) { return 150.0; }));
  EXPECT_EQ(judged.growth, Growth::kUndecided);
  EXPECT_GT(judged.most, judged.allowed);
  EXPECT_LE(judged.least, judged.allowed);
}

TEST(Growth, TooFewReadingsAreNoVerdict) {
  EXPECT_EQ(JudgeGrowth({}).growth, Growth::kUndecided);
  const auto few = Made(19, 10, 0.01, 1, [](double hours) { return 12 + 100 * hours; });
  EXPECT_EQ(JudgeGrowth(few).growth, Growth::kUndecided);
}

}  // namespace
}  // namespace headroom::evaluation
