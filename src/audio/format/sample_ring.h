// Samples from one thread to another without a lock: a ring for one producer and one consumer.
// Nothing here waits, allocates (after the constructor) or calls the system.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace headroom::audio {

class SampleRing {
 public:
  /// Room for at least `capacity` samples; rounded up to a power of two.
  explicit SampleRing(std::size_t capacity);

  // The producer's thread.

  /// Takes as many as there is room for, from the front; how many that were. Samples that came
  /// earlier are never overwritten, so what is lost is one known stretch: dropped().
  std::size_t Push(std::span<const float> samples);
  /// As if `count` zeros were pushed.
  std::size_t PushSilence(std::size_t count);
  std::size_t room() const;

  // The consumer's thread.

  /// The oldest samples, at most into.size(); how many.
  std::size_t Pop(std::span<float> into);

  // Any thread.

  std::size_t size() const;
  std::size_t capacity() const { return samples_.size(); }
  /// Samples that Push and PushSilence had no room for, since the beginning.
  std::int64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  template <class Copy>
  std::size_t PushWith(std::size_t count, Copy copy);

  static constexpr std::size_t kCacheLine = 64;

  std::vector<float> samples_;
  // Samples ever pushed and popped; the places are these modulo the capacity. Each is written by
  // one thread only, and kept off the other's cache line.
  alignas(kCacheLine) std::atomic<std::uint64_t> pushed_{0};
  alignas(kCacheLine) std::atomic<std::uint64_t> popped_{0};
  alignas(kCacheLine) std::atomic<std::int64_t> dropped_{0};
};

}  // namespace headroom::audio
