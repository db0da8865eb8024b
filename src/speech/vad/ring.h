// The last seconds of a stream of samples, addressed by position in the stream. Allocates once.
// Belongs to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"

namespace headroom::speech {

class SampleRing {
 public:
  /// Holds the last `capacity` (above 0) samples.
  explicit SampleRing(std::int64_t capacity) : samples_(static_cast<std::size_t>(capacity)) {}

  /// The oldest make room. Of more than the capacity only the end is kept.
  void Append(std::span<const float> samples);
  /// Forgets everything; the next sample is number 0.
  void Clear() { end_ = first_ = 0; }

  /// Held are the samples [first, end).
  std::int64_t first() const { return first_; }
  std::int64_t end() const { return end_; }

  /// Exactly the samples [begin, end): kNotFound, saying what is held, when some are gone or not
  /// there yet.
  Result<std::vector<float>> Read(std::int64_t begin, std::int64_t end) const;

 private:
  std::vector<float> samples_;  // sample n is at n modulo its size
  std::int64_t first_ = 0, end_ = 0;
};

}  // namespace headroom::speech
