#include "app/daemon/task_queue.h"

#include <utility>

namespace headroom::app {

void TaskQueue::Post(Task task) {
  {
    const MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.NotifyAll();
}

void TaskQueue::Wake() {
  {
    const MutexLock lock(mutex_);
    woken_ = true;
  }
  changed_.NotifyAll();
}

void TaskQueue::RunSome(Milliseconds wait) {
  std::deque<Task> tasks;
  {
    const MutexLock lock(mutex_);
    changed_.WaitFor(mutex_, wait, [this]() REQUIRES(mutex_) { return woken_ || !tasks_.empty(); });
    woken_ = false;
    tasks.swap(tasks_);
  }
  for (Task& task : tasks) task();
}

}  // namespace headroom::app
