// How long to wait before the next attempt: doubled each time, up to a limit.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace headroom::audio {

class Backoff {
 public:
  Backoff(Milliseconds first, Milliseconds most) : first_(first), most_(most), next_(first) {}

  Milliseconds Next() {
    const Milliseconds now = next_;
    next_ = std::min(next_ * 2, most_);
    return now;
  }
  void Reset() { next_ = first_; }

 private:
  Milliseconds first_, most_, next_;
};

}  // namespace headroom::audio
