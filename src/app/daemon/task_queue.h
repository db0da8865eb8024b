// Work that any thread gives to one thread, which runs it a task after the other.
#pragma once

#include <deque>
#include <functional>

#include "base/clock.h"
#include "base/mutex.h"

namespace headroom::app {

class TaskQueue {
 public:
  using Task = std::move_only_function<void()>;

  /// Any thread. Tasks are few: one for each request of a client.
  void Post(Task task) EXCLUDES(mutex_);
  /// Any thread: RunSome returns.
  void Wake() EXCLUDES(mutex_);
  /// Waits until there is a task or a Wake, for so long at most, and runs what is there.
  void RunSome(Milliseconds wait) EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<Task> tasks_ GUARDED_BY(mutex_);
  bool woken_ GUARDED_BY(mutex_) = false;
};

}  // namespace headroom::app
