// Mutexes whose use clang checks (-Wthread-safety, .ci/thread-safety); under GCC they are plain std
// ones.
//
//   class Counter {
//    public:
//     void Add() EXCLUDES(mutex_) {
//       const MutexLock lock(mutex_);
//       AddLocked();
//     }
//     void WaitForTen() {
//       const MutexLock lock(mutex_);
//       changed_.Wait(mutex_, [this]() REQUIRES(mutex_) { return count_ >= 10; });
//     }
//
//    private:
//     void AddLocked() REQUIRES(mutex_) { ++count_, changed_.NotifyAll(); }
//     Mutex mutex_;
//     CondVar changed_;
//     int count_ GUARDED_BY(mutex_) = 0;
//   };
//
// A lambda is a function of its own to the analysis: one that touches guarded members says
// REQUIRES(mutex_) after its parameters. No callback and no I/O runs under a lock.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#if defined(__clang__)
#define HEADROOM_ATTRIBUTE(x) __attribute__((x))
#else
#define HEADROOM_ATTRIBUTE(x)
#endif

/// On a member: reads and writes need the mutex. PT_: for what a pointer points at.
#define GUARDED_BY(mutex) HEADROOM_ATTRIBUTE(guarded_by(mutex))
#define PT_GUARDED_BY(mutex) HEADROOM_ATTRIBUTE(pt_guarded_by(mutex))
/// On a function: the caller holds the mutexes; the caller must not hold them.
#define REQUIRES(...) HEADROOM_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) HEADROOM_ATTRIBUTE(locks_excluded(__VA_ARGS__))
/// On a function that returns with the mutex held, or with it free.
#define ACQUIRE(...) HEADROOM_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) HEADROOM_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define RELEASE(...) HEADROOM_ATTRIBUTE(release_capability(__VA_ARGS__))
/// On a mutex: the order in which mutexes are taken.
#define ACQUIRED_AFTER(...) HEADROOM_ATTRIBUTE(acquired_after(__VA_ARGS__))
#define ACQUIRED_BEFORE(...) HEADROOM_ATTRIBUTE(acquired_before(__VA_ARGS__))
#define RETURN_CAPABILITY(mutex) HEADROOM_ATTRIBUTE(lock_returned(mutex))
/// On a function that the analysis cannot follow; a comment says why it is right.
#define NO_THREAD_SAFETY_ANALYSIS HEADROOM_ATTRIBUTE(no_thread_safety_analysis)

namespace headroom {

class HEADROOM_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ACQUIRE() { mutex_.lock(); }
  void Unlock() RELEASE() { mutex_.unlock(); }
  bool TryLock() TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  /// Asserts to the analysis only, without a run-time check, that the caller holds it.
  void AssertHeld() const HEADROOM_ATTRIBUTE(assert_capability(this)) {}

 private:
  friend class CondVar;
  std::mutex mutex_;
};

/// Holds a mutex for its scope; Unlock and Lock open a gap in it, for what must not run under the
/// lock.
class HEADROOM_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() RELEASE() {
    if (held_) mutex_.Unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void Unlock() RELEASE() { mutex_.Unlock(), held_ = false; }
  void Lock() ACQUIRE() { mutex_.Lock(), held_ = true; }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

/// A std::condition_variable for Mutex. Wakes may be spurious where no condition is given. With
/// one, the result says whether it holds; without, a wait for a time says whether it was woken
/// within it.
class CondVar {
 public:
  void NotifyOne() { changed_.notify_one(); }
  void NotifyAll() { changed_.notify_all(); }

  void Wait(Mutex& mutex) REQUIRES(mutex) {
    Adopted lock(mutex.mutex_);
    changed_.wait(lock.held);
  }
  template <class Condition>
  void Wait(Mutex& mutex, Condition condition) REQUIRES(mutex) NO_THREAD_SAFETY_ANALYSIS {
    while (!condition()) Wait(mutex);
  }

  bool WaitUntil(Mutex& mutex, std::chrono::steady_clock::time_point end) REQUIRES(mutex) {
    Adopted lock(mutex.mutex_);
    return changed_.wait_until(lock.held, end) == std::cv_status::no_timeout;
  }
  template <class Condition>
  bool WaitUntil(Mutex& mutex, std::chrono::steady_clock::time_point end, Condition condition)
      REQUIRES(mutex) NO_THREAD_SAFETY_ANALYSIS {
    while (!condition())
      if (!WaitUntil(mutex, end)) return condition();
    return true;
  }

  bool WaitFor(Mutex& mutex, std::chrono::nanoseconds time) REQUIRES(mutex) {
    Adopted lock(mutex.mutex_);
    return changed_.wait_for(lock.held, time) == std::cv_status::no_timeout;
  }
  template <class Condition>
  bool WaitFor(Mutex& mutex, std::chrono::nanoseconds time, Condition condition)
      REQUIRES(mutex) NO_THREAD_SAFETY_ANALYSIS {
    Adopted lock(mutex.mutex_);
    return changed_.wait_for(lock.held, time, std::move(condition));
  }

 private:
  /// The caller's lock in the form that the standard library waits on; still held afterwards.
  struct Adopted {
    explicit Adopted(std::mutex& mutex) : held(mutex, std::adopt_lock) {}
    ~Adopted() { held.release(); }
    Adopted(const Adopted&) = delete;
    Adopted& operator=(const Adopted&) = delete;
    std::unique_lock<std::mutex> held;
  };

  std::condition_variable changed_;
};

}  // namespace headroom
