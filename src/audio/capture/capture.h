// One opening of a source: a thread that captures on one side, Read on the other, a ring between.
// A capture loop is a function that puts samples in until stop() is raised.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "audio/capture/source.h"
#include "audio/format/sample_ring.h"
#include "base/cancel.h"
#include "base/fd.h"
#include "base/mutex.h"

namespace headroom::audio {

class Capture {
 public:
  explicit Capture(std::size_t buffer_samples);

  // The loop's thread.

  /// Raised when the loop must return.
  CancelToken& stop() { return stop_; }
  /// For callbacks: does not lock, allocate or wait. Samples without room are dropped and counted.
  void Put(std::span<const float> samples);
  /// Adds silence in place of `count` lost samples, which count as repaired.
  void PutMissing(std::size_t count);
  /// Waits for room instead of dropping; false when stop() was raised.
  bool PutAll(std::span<const float> samples);
  bool PutAllSilence(std::size_t count);
  /// Sleeps; false when stop() was raised.
  bool SleepFor(Milliseconds time);
  /// Sets what report() returns. The state becomes kRunning by itself with the first sample.
  void Say(SourceState state, std::string device, std::string problem);
  void CountInterruption() { interruptions_.fetch_add(1, std::memory_order_relaxed); }

  // The reader's thread.

  Result<std::size_t> Read(std::span<float> into, Milliseconds wait);

  // Any thread.

  /// Records that the loop returned, and why. Read returns an error after all samples before it.
  void Finish(std::optional<Error> error);
  bool ended() const;
  SourceReport report() const;

 private:
  template <class PushSome>
  bool PutWaiting(std::size_t count, PushSome push);
  void WakeReader();

  SampleRing ring_;
  CancelToken stop_;
  Fd filled_, emptied_;  // eventfds: something for the reader; room for PutAll
  std::atomic<bool> wants_room_{false};
  std::atomic<bool> finished_{false};
  std::atomic<std::int64_t> read_{0}, missing_{0}, repaired_{0}, interruptions_{0};

  mutable Mutex mutex_;
  SourceState state_ GUARDED_BY(mutex_) = SourceState::kOpening;
  std::string device_ GUARDED_BY(mutex_), problem_ GUARDED_BY(mutex_);
  std::optional<Error> error_ GUARDED_BY(mutex_);
};

/// Returns when capture.stop() is raised, at the end of the input, or with an error that lasts
/// until the next Open.
using CaptureLoop = std::function<Result<>(Capture& capture)>;

/// A source whose loop runs on its own thread from Open to Close.
std::unique_ptr<Source> MakeThreadSource(CaptureLoop loop, std::size_t buffer_samples);

}  // namespace headroom::audio
