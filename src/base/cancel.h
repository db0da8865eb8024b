// A request to stop that can be waited for with poll(2) and raised from a signal handler.
#pragma once

#include <atomic>

#include "base/fd.h"

namespace headroom {

class CancelToken {
 public:
  CancelToken();
  CancelToken(const CancelToken&) = delete;
  CancelToken& operator=(const CancelToken&) = delete;

  /// Async-signal-safe and thread-safe; stays raised.
  void Raise();
  bool raised() const { return raised_.load(std::memory_order_acquire); }
  /// Readable once raised.
  int fd() const { return event_.get(); }

 private:
  std::atomic<bool> raised_{false};
  Fd event_;
};

}  // namespace headroom
