// Writes the flight record: Add and Note return at once whatever the disk does, a thread of its own
// does the rest. docs/flight-record.md says what is kept of what is added.
//
// - What was added is on the disk one second later, also after kill -9 or a power loss.
// - The queue is bounded. When it is full samples are dropped first, then events; both are counted,
//   and the count is recorded.
// - A full disk, or any other error of the file, stops recording and is tried again; the caller
//   notices nothing but status().
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "observe/record/record.h"
#include "observe/record/thin.h"

namespace headroom::record {

struct WriterOptions {
  std::filesystem::path path;  // 0600; folders are made, 0700
  std::string program = "headroom", version;
  std::string target;  // of a watch
  std::string boot;    // empty: this machine's
  Milliseconds commit_every{1'000};
  Milliseconds retry_every{30'000};  // after an error of the file
  /// Recording stops when less is free where the file lies, so that it is never what fills a disk.
  Bytes keep_free = MiB(64);
  std::size_t queue = 4096;
  ThinOptions thin;
  /// Thinned out by age, deleted at the end; see docs/flight-record.md.
  Milliseconds whole_for{std::chrono::hours(48)};
  Milliseconds minutes_for{std::chrono::hours(24 * 14)};
  Milliseconds keep_for{std::chrono::hours(24 * 90)};
  bool every_sample = false;  // no dead-band, no daily limit: for short recordings
};

struct WriterStatus {
  bool recording = false;
  std::string trouble;  // why not; empty: all is well, or not yet opened
  std::optional<Errc> code;
  std::int64_t samples = 0, events = 0;  // added
  std::int64_t rows = 0;                 // written
  std::int64_t dropped_samples = 0, dropped_events = 0;
  std::int64_t commits = 0;
  int kept = 0;       // times the black box was written
  int set_aside = 0;  // damaged files
};

class Writer {
 public:
  /// kBusy: another process writes this file. Everything else shows in status().
  static Result<std::unique_ptr<Writer>> Open(WriterOptions options,
                                              const Clock& clock = SystemClock());
  /// Writes what is there, marks the run as ended.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// From any thread. Never blocks longer than a short lock.
  void Add(Sample sample);
  void Note(Event event);
  void Describe(GpuName gpu);
  /// Keeps the last ten minutes of every sample, and the next half minute. Zone edges, errors,
  /// worker deaths and kernel lines do so by themselves.
  void Keep(std::string reason);

  /// What was added before is committed, or could not be; false: `wait` was too short.
  bool Flush(Milliseconds wait = Milliseconds(5'000));
  WriterStatus status() const;

 private:
  struct State;
  explicit Writer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace headroom::record
