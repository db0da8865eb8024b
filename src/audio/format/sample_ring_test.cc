#include "audio/format/sample_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <thread>

namespace headroom::audio {
namespace {

std::vector<float> Numbers(std::size_t from, std::size_t count) {
  std::vector<float> numbers(count);
  std::iota(numbers.begin(), numbers.end(), static_cast<float>(from));
  return numbers;
}

TEST(SampleRing, GivesWhatItGotInOrderAcrossItsEnd) {
  SampleRing ring(8);
  std::vector<float> out(8);
  for (std::size_t round = 0; round < 20; ++round) {
    EXPECT_EQ(ring.Push(Numbers(round * 5, 5)), 5U);
    ASSERT_EQ(ring.Pop(out), 5U);
    EXPECT_EQ(std::vector<float>(out.begin(), out.begin() + 5), Numbers(round * 5, 5));
  }
  EXPECT_EQ(ring.Pop(out), 0U);
  EXPECT_EQ(ring.dropped(), 0);
}

TEST(SampleRing, KeepsTheOldestWhenFullAndCountsTheRestExactly) {
  SampleRing ring(6);
  ASSERT_EQ(ring.capacity(), 8U);
  EXPECT_EQ(ring.Push(Numbers(0, 5)), 5U);
  EXPECT_EQ(ring.Push(Numbers(5, 5)), 3U);
  EXPECT_EQ(ring.dropped(), 2);
  EXPECT_EQ(ring.Push(Numbers(99, 7)), 0U);
  EXPECT_EQ(ring.PushSilence(1), 0U);
  EXPECT_EQ(ring.dropped(), 10);
  std::vector<float> out(20);
  ASSERT_EQ(ring.Pop(out), 8U);
  out.resize(8);
  EXPECT_EQ(out, Numbers(0, 8));
  EXPECT_EQ(ring.PushSilence(3), 3U);
  EXPECT_EQ(ring.size(), 3U);
  ASSERT_EQ(ring.Pop(out), 3U);
  EXPECT_EQ(out[2], 0.0F);
}

// Two unsynchronised threads: everything that was taken arrives once and in order, and taken
// plus dropped is everything that was pushed.
TEST(SampleRing, BetweenTwoThreads) {
  constexpr std::size_t kTotal = 400'000;  // exact as floats
  SampleRing ring(1024);
  std::jthread producer([&] {
    std::mt19937 random(1);
    for (std::size_t next = 0; next < kTotal;) {
      const std::size_t count = std::min<std::size_t>(random() % 700 + 1, kTotal - next);
      const std::size_t went = ring.Push(Numbers(next, count));
      while (went < count && ring.room() < 512) std::this_thread::yield();
      next += count;
    }
  });
  std::vector<float> got, block(333);
  std::size_t idle = 0;
  while (got.size() + static_cast<std::size_t>(ring.dropped()) < kTotal && idle < 1'000'000'000) {
    const std::size_t n = ring.Pop(block);
    idle = n == 0 ? idle + 1 : 0;
    if (n == 0) std::this_thread::yield();
    got.insert(got.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(n));
  }
  producer.join();
  EXPECT_EQ(got.size() + static_cast<std::size_t>(ring.dropped()), kTotal);
  EXPECT_GT(got.size(), 1024U);
  EXPECT_TRUE(std::ranges::is_sorted(got));
  EXPECT_EQ(std::ranges::adjacent_find(got), got.end()) << "nothing comes twice";
}

}  // namespace
}  // namespace headroom::audio
