// Hands values to one consumer, in the order in which they were pushed and one at a time, while no
// lock is held. Push is for code that holds a lock and must not call out; Run, after the lock was
// released, does the calling.
//
//   {
//     const MutexLock lock(mutex_);
//     ++count_;
//     events_.Push(Counted{count_});
//   }
//   events_.Run();
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <thread>
#include <utility>

#include "base/mutex.h"

namespace headroom::app {

/// Any thread.
template <class T>
class Sequencer {
 public:
  using Consumer = std::function<void(const T&)>;
  explicit Sequencer(Consumer consumer) : consumer_(std::move(consumer)) {}

  /// Calls nothing.
  void Push(T value) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    queue_.push_back(std::move(value));
    ++pushed_;
  }
  std::size_t queued() const EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return queue_.size();
  }

  /// Hands over what is queued; returns at once where another thread is doing so, which then hands
  /// over these values, too. The caller holds no lock.
  void Run() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (running_) return;
    running_ = true;
    runner_ = std::this_thread::get_id();
    while (!queue_.empty()) {
      {
        const T value = std::move(queue_.front());
        queue_.pop_front();
        lock.Unlock();
        consumer_(value);
      }
      lock.Lock();
      ++done_;
      changed_.NotifyAll();
    }
    running_ = false;
  }

  /// As Run, and waits until everything that was pushed before has been handed over. Called by the
  /// consumer it does not wait.
  void Flush() EXCLUDES(mutex_) {
    Run();
    const MutexLock lock(mutex_);
    if (running_ && runner_ == std::this_thread::get_id()) return;
    const std::uint64_t wanted = pushed_;
    changed_.Wait(mutex_, [&]() REQUIRES(mutex_) { return done_ >= wanted; });
  }

 private:
  const Consumer consumer_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<T> queue_ GUARDED_BY(mutex_);
  std::uint64_t pushed_ GUARDED_BY(mutex_) = 0, done_ GUARDED_BY(mutex_) = 0;
  bool running_ GUARDED_BY(mutex_) = false;
  std::thread::id runner_ GUARDED_BY(mutex_);
};

}  // namespace headroom::app
