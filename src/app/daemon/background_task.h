// Work that would hold up the service, on a thread of its own. One at a time.
#pragma once

#include <atomic>
#include <future>
#include <utility>

#include "net/control/control.h"

namespace headroom::app {

/// One thread at a time.
class BackgroundTask {
 public:
  /// Until its answer is about to be given: who has the answer may ask for the next.
  bool busy() const { return busy_; }
  /// Not while busy. Calls `work`, and `answer` with its result, on another thread, for which the
  /// destructor waits.
  template <class Work>
  void Start(Work work, net::Answer answer) {
    busy_ = true;
    thread_ = std::async(std::launch::async,
                         [this, work = std::move(work), answer = std::move(answer)]() mutable {
                           auto result = work();  // a Result<nlohmann::json>
                           busy_ = false;
                           answer(std::move(result));
                         });
  }

 private:
  std::atomic<bool> busy_{false};
  std::future<void> thread_;
};

}  // namespace headroom::app
