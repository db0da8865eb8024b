// What a server counts of itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/mutex.h"

namespace headroom::net {

/// What every server counts; since it began.
struct ConnectionCounters {
  std::uint64_t connections = 0;    // accepted
  std::uint64_t evicted_idle = 0;   // oldest idle connection closed because there were too many
  std::uint64_t refused_full = 0;   // too many, and none of them idle
  std::uint64_t refused_peers = 0;  // of another user, or from an address that is not allowed
  std::size_t open = 0;             // now
};

/// What every HTTP listener counts.
struct HttpCounters : ConnectionCounters {
  std::uint64_t requests = 0;      // understood
  std::uint64_t bad_requests = 0;  // not HTTP, or more than the limits allow
  std::uint64_t timed_out = 0;     // clients too slow to send or to take
  std::uint64_t slow_readers = 0;  // event streams closed because their client did not read
  std::uint64_t vanished = 0;      // clients that left before their answer
  std::uint64_t refused_rate = 0;  // more requests than a connection may send
  std::uint64_t events_lost = 0;   // not sent because the server did not keep up
  std::size_t subscribers = 0;     // followers of the events now
};

/// Numbers that one thread changes while others read them.
template <class Numbers>
class Counted {
 public:
  template <class Change>
  void Count(Change change) {
    const MutexLock lock(mutex_);
    change(numbers_);
  }
  Numbers Now() const {
    const MutexLock lock(mutex_);
    return numbers_;
  }

 private:
  mutable Mutex mutex_;
  Numbers numbers_ GUARDED_BY(mutex_);
};

}  // namespace headroom::net
