// What a server counts of itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

namespace headroom::net {

/// What every server counts; since it began.
struct ConnectionCounters {
  std::uint64_t connections = 0;    // accepted
  std::uint64_t evicted_idle = 0;   // oldest idle connection closed because there were too many
  std::uint64_t refused_full = 0;   // too many, and none of them idle
  std::uint64_t refused_peers = 0;  // of another user, or from an address that is not allowed
  std::size_t open = 0;             // now
};

/// Numbers that one thread changes while others read them.
template <class Numbers>
class Counted {
 public:
  template <class Change>
  void Count(Change change) {
    const std::lock_guard guard(mutex_);
    change(numbers_);
  }
  Numbers Now() const {
    const std::lock_guard guard(mutex_);
    return numbers_;
  }

 private:
  mutable std::mutex mutex_;
  Numbers numbers_;
};

}  // namespace headroom::net
