// Waits for what no event reports: a counter of another thread, a file, a process.
#pragma once

#include <thread>

#include "base/clock.h"

namespace headroom {

/// Whether `condition` becomes true within `most`. Checks it every few milliseconds; where there is
/// an event to wait for, wait for that instead (base/mutex.h).
template <class Condition>
bool Eventually(Condition condition, Milliseconds most = Milliseconds(60'000)) {
  for (const MonoTime end = SystemClock().Now() + most; !condition();) {
    if (SystemClock().Now() > end) return condition();
    std::this_thread::sleep_for(Milliseconds(2));
  }
  return true;
}

}  // namespace headroom
