#include "audio/format/sample_ring.h"

#include <algorithm>
#include <bit>

namespace headroom::audio {

SampleRing::SampleRing(std::size_t capacity)
    : samples_(std::bit_ceil(std::max<std::size_t>(capacity, 1))) {}

std::size_t SampleRing::size() const {
  // Popped first: read the other way round, a pop in between could make the difference negative.
  const std::uint64_t popped = popped_.load(std::memory_order_acquire);
  return static_cast<std::size_t>(pushed_.load(std::memory_order_acquire) - popped);
}

std::size_t SampleRing::room() const {
  const std::uint64_t used =
      pushed_.load(std::memory_order_relaxed) - popped_.load(std::memory_order_acquire);
  return samples_.size() - static_cast<std::size_t>(used);
}

template <class Copy>
std::size_t SampleRing::PushWith(std::size_t count, Copy copy) {
  const std::uint64_t pushed = pushed_.load(std::memory_order_relaxed);
  const std::size_t taken = std::min(count, room());
  const std::size_t place = static_cast<std::size_t>(pushed) & (samples_.size() - 1);
  const std::size_t first = std::min(taken, samples_.size() - place);
  copy(std::span(samples_).subspan(place, first), 0);
  copy(std::span(samples_).first(taken - first), first);
  pushed_.store(pushed + taken, std::memory_order_release);
  if (taken < count)
    dropped_.fetch_add(static_cast<std::int64_t>(count - taken), std::memory_order_relaxed);
  return taken;
}

std::size_t SampleRing::Push(std::span<const float> samples) {
  return PushWith(samples.size(), [&](std::span<float> to, std::size_t from) {
    std::ranges::copy(samples.subspan(from, to.size()), to.begin());
  });
}

std::size_t SampleRing::PushSilence(std::size_t count) {
  return PushWith(count, [](std::span<float> to, std::size_t) { std::ranges::fill(to, 0.0F); });
}

std::size_t SampleRing::Pop(std::span<float> into) {
  const std::uint64_t popped = popped_.load(std::memory_order_relaxed);
  const auto have = static_cast<std::size_t>(pushed_.load(std::memory_order_acquire) - popped);
  const std::size_t taken = std::min(into.size(), have);
  const std::size_t place = static_cast<std::size_t>(popped) & (samples_.size() - 1);
  const std::size_t first = std::min(taken, samples_.size() - place);
  std::ranges::copy(std::span(samples_).subspan(place, first), into.begin());
  std::ranges::copy(std::span(samples_).first(taken - first), into.subspan(first).begin());
  popped_.store(popped + taken, std::memory_order_release);
  return taken;
}

}  // namespace headroom::audio
