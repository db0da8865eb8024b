// A detector for tests: a frame is speech when it is loud. Can be made to fail.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "speech/vad/vad.h"

namespace headroom::speech {

class FakeVad : public SpeechProbability {
 public:
  Result<std::span<const float>> Feed(std::span<const float> samples) override {
    if (--feeds_until_failure == 0) return Fail(Errc::kInternal, "scripted failure");
    probabilities_.clear();
    for (const float sample : samples) {
      if (!std::isfinite(sample)) return Fail(Errc::kInvalid, "a sample is not finite");
      frame_.push_back(sample);
      if (frame_.size() == kFrameSamples) EndFrame();
    }
    return probabilities_;
  }
  Result<std::span<const float>> Flush() override {
    probabilities_.clear();
    if (!frame_.empty()) EndFrame();
    return probabilities_;
  }
  void Reset() override { frame_.clear(); }

  int feeds_until_failure = 0;  // 0: never

 private:
  void EndFrame() {
    const auto loud = std::count_if(frame_.begin(), frame_.end(),
                                    [](float sample) { return std::fabs(sample) > 0.05F; });
    probabilities_.push_back(static_cast<float>(loud) / static_cast<float>(frame_.size()));
    frame_.clear();
  }

  std::vector<float> frame_;
  std::vector<float> probabilities_;
};

}  // namespace headroom::speech
