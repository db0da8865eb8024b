// Decoded frames of any layout, sample format and rate as 16 kHz mono.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.h"

struct AVFrame;
struct SwrContext;

namespace headroom::audio {

class Resampler {
 public:
  /// Appends what `frame` yields to `out`; finite, at most +-1. The rate, layout and format may
  /// change from frame to frame. kUnsupported for a rate that no speech has.
  Result<> Add(const AVFrame& frame, std::vector<float>& out);
  /// Appends what the filter still holds.
  Result<> Finish(std::vector<float>& out);

  /// Samples (of all channels) that were NaN or Inf and became 0.
  std::int64_t non_finite() const { return non_finite_; }

 private:
  struct Free {
    void operator()(SwrContext* swr) const;
  };
  Result<> SetRate(int rate, std::vector<float>& out);
  Result<> Convert(const float* in, int count, std::vector<float>& out);

  std::unique_ptr<SwrContext, Free> swr_;  // null while the rate is already right
  int rate_ = 0;                           // of the input; 0 before the first frame
  std::vector<float> mono_;                // the frame's mix, kept for its capacity
  std::int64_t non_finite_ = 0;
};

}  // namespace headroom::audio
