// One opening of a source: a thread that captures on one side, Read on the other, a ring between.
// A capture loop is a function that puts samples in until it is told to stop.
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

  /// Raised when the loop shall return.
  CancelToken& stop() { return stop_; }
  /// For callbacks: neither locks nor allocates nor waits. What has no room is dropped and counted.
  void Put(std::span<const float> samples);
  /// Silence in place of `count` samples that were lost on their way; counted as repaired.
  void PutMissing(std::size_t count);
  /// Waits for room instead of dropping; false when told to stop.
  bool PutAll(std::span<const float> samples);
  bool PutAllSilence(std::size_t count);
  /// Sleeps; false when told to stop.
  bool SleepFor(Milliseconds time);
  /// What report() tells from now on. Running is told by itself once a sample has come.
  void Say(SourceState state, std::string device, std::string trouble);
  void CountInterruption() { interruptions_.fetch_add(1, std::memory_order_relaxed); }

  // The reader's thread.

  Result<std::size_t> Read(std::span<float> into, Milliseconds wait);

  // Any thread.

  /// The loop has returned, and why; Read tells an error once everything before it was read.
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
  std::string device_ GUARDED_BY(mutex_), trouble_ GUARDED_BY(mutex_);
  std::optional<Error> error_ GUARDED_BY(mutex_);
};

/// Returns when capture.stop() is raised, when there is nothing more to come, or with an error that
/// waiting cannot repair.
using CaptureLoop = std::function<Result<>(Capture& capture)>;

/// A source whose loop runs in a thread of its own from Open to Close.
std::unique_ptr<Source> MakeThreadSource(CaptureLoop loop, std::size_t buffer_samples);

}  // namespace headroom::audio
