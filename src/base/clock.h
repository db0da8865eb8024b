// Time as a dependency, so that ten hours can pass in a test without a wait.
#pragma once

#include <chrono>

namespace headroom {

using Milliseconds = std::chrono::milliseconds;
using MonoTime = std::chrono::steady_clock::time_point;  // CLOCK_MONOTONIC: for deadlines
using WallTime = std::chrono::system_clock::time_point;  // may jump: for showing and recording only

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoTime Now() const = 0;
  virtual WallTime WallNow() const = 0;
};

/// The machine's clocks. The only place that reads them.
const Clock& SystemClock();

/// A clock that only Advance moves. Not thread-safe.
class FakeClock : public Clock {
 public:
  MonoTime Now() const override { return now_; }
  WallTime WallNow() const override { return wall_; }
  void Advance(Milliseconds by) { now_ += by, wall_ += by; }
  void JumpWall(Milliseconds by) { wall_ += by; }

 private:
  MonoTime now_{std::chrono::hours(1)};
  WallTime wall_{std::chrono::hours(24 * 365 * 50)};
};

}  // namespace headroom
