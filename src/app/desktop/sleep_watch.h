// Suspend and resume, from systemd-logind (org.freedesktop.login1.Manager). A delay inhibitor gives
// the program a few seconds (InhibitDelayMaxSec, 5 by default) before the machine sleeps: what a
// night of suspend does to a loaded GPU is an error that stays until its process ends.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace headroom::desktop {

struct SleepEvents {
  /// The machine is about to sleep, and waits for ReadyToSleep. On the watch's thread; may return
  /// immediately and have ReadyToSleep called by another thread.
  std::function<void()> on_sleep;
  /// Awake again, or the suspend was called off. Also after a sleep whose beginning was not heard.
  std::function<void()> on_resume;
};

class SleepWatch {
 public:
  /// Works from when logind can be reached, however late that is. `again`: between two tries.
  explicit SleepWatch(SleepEvents events, Milliseconds again = Milliseconds(5000));
  ~SleepWatch();

  /// Everything that had to be done before sleeping is done. Any thread; harmless at other times.
  void ReadyToSleep();

  /// Why suspends are not heard of, one line; "" while they are.
  std::string problem() const;
  /// Whether a suspend would wait for us now.
  bool inhibiting() const;

 private:
  struct Core;
  std::unique_ptr<Core> core_;
};

}  // namespace headroom::desktop
