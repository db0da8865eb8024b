// When sound of an open utterance is written to the spool.
#pragma once

#include "base/clock.h"

namespace headroom::app {

/// Every 250 ms, of sound and of time: each write waits for the disk, so sound that comes in small
/// pieces or faster than it was spoken is not written piece by piece. Five seconds never wait.
class AppendPace {
 public:
  explicit AppendPace(const Clock& clock) : clock_(clock) {}

  /// `waiting`: sound that is not written yet. True: it is to be written now.
  bool Due(Milliseconds waiting) {
    if (waiting < kEvery) return false;
    const MonoTime now = clock_.Now();
    if (waiting < kMostWaiting && now - written_at_ < kEvery) return false;
    written_at_ = now;
    return true;
  }

  static constexpr Milliseconds kEvery{250}, kMostWaiting{5'000};

 private:
  const Clock& clock_;
  MonoTime written_at_{};
};

}  // namespace headroom::app
