#include "base/mutex.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"

namespace headroom {
namespace {

using std::chrono::seconds;

/// Numbers handed from one thread to another.
class Channel {
 public:
  void Put(int number) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    last_ = number;
    changed_.NotifyAll();
  }
  bool Await(int number) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return changed_.WaitFor(mutex_, seconds(60),
                            [&]() REQUIRES(mutex_) { return last_ == number; });
  }
  int AwaitAny() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (last_ == 0) changed_.Wait(mutex_);
    const int result = last_;
    lock.Unlock();
    Put(0);
    lock.Lock();
    return result + last_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int last_ GUARDED_BY(mutex_) = 0;
};

TEST(Mutex, AWaitEndsWhenAnotherThreadMakesTheConditionTrue) {
  Channel channel;
  std::jthread other([&] { channel.Put(7); });
  EXPECT_TRUE(channel.Await(7));
}

TEST(Mutex, AGapInALockLetsOthersIn) {
  Channel channel;
  channel.Put(5);
  EXPECT_EQ(channel.AwaitAny(), 5);
}

TEST(Mutex, IsHeldAfterAWaitThatTimedOut) {
  Mutex mutex;
  CondVar never;
  {
    const MutexLock lock(mutex);
    EXPECT_FALSE(never.WaitFor(mutex, Milliseconds(1), [] { return false; }));
    EXPECT_FALSE(never.WaitUntil(mutex, MonoTime{}, [] { return false; }));
    std::jthread other([&] {
      const bool taken = mutex.TryLock();
      EXPECT_FALSE(taken);
      if (taken) mutex.Unlock();
    });
  }
  const bool taken = mutex.TryLock();
  EXPECT_TRUE(taken);
  if (taken) mutex.Unlock();
}

}  // namespace
}  // namespace headroom
