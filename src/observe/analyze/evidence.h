// What foreign logs and our own flight record boil down to: time-stamped samples and events, each
// with the source and line it was read from, so that every later statement can cite.
//
// Readers push into an Evidence and then call Finish once. Memory is bounded: a series beyond
// kMostPoints is thinned (the larger of two neighbours stays, and `thinned` says so), events beyond
// kMostEvents are only counted. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <vector>

#include "base/clock.h"

namespace headroom::analyze {

using Instant = std::chrono::sys_time<Milliseconds>;

enum class Metric : std::uint8_t {
  kVramUsed,         // bytes: of a whole device, or of one owner on it
  kVramTotal,        // bytes
  kVramFree,         // bytes
  kVramAllocated,    // bytes, as a framework's allocator counts its own
  kVramReserved,     // bytes a framework's allocator holds, used or not
  kVramTried,        // bytes: an allocation that was refused
  kVramOther,        // bytes of other processes, as the line of a refused allocation names them
  kVramOwn,          // bytes of the process that the line is of
  kVramUnallocated,  // bytes that a framework's allocator holds and does not use
  kVramRequired,     // bytes that a model needs, as its engine counts
  kRam,              // bytes of one owner
  kRamPeak,          // bytes: a peak reported afterwards; when it was is not known
  kSwap,             // bytes of one owner
  kSwapPeak,         // bytes: as kRamPeak
  kHostTotal,        // bytes
  kHostAvailable,    // bytes
  kHostSwap,         // bytes used of the whole machine
  kMemoryHigh,       // bytes: the cgroup's soft limit
  kMemoryMax,        // bytes: its hard limit
  kRamTried,         // bytes: an allocation on the host that was refused
  kKilled,           // bytes that a killed process held
  kLimit,            // bytes: the limit of a control group that was reached
  kPsiSome,          // percent
  kPsiFull,          // percent
  kQueueSeconds,     // audio waiting for its text
  kTemperature,      // degrees Celsius
  kBusy,             // percent
};
inline constexpr std::size_t kMetrics = 27;
std::string_view Name(Metric metric);  // "vram_used", …
std::optional<Metric> MetricFromName(std::string_view name);
bool IsBytes(Metric metric);
/// Of a device, not of the host.
inline bool IsVram(Metric metric) {
  return metric <= Metric::kVramRequired;
}

enum class EventKind : std::uint8_t {
  kError,
  kRetry,  // the program says that it tries again
  kStart,  // of a service or process
  kStop,
  kLoad,   // a model begins to load
  kReady,  // and is ready
  kUnload,
  kActivity,  // work arrives: speech, a request
  kSuspend,   // of the machine
  kResume,
  kReset,      // of a device or driver: Xid, amdgpu reset
  kOomKill,    // by the kernel or a memory daemon
  kHot,        // a temperature beyond a limit
  kClockStep,  // wall time passed that the monotonic clock did not count: suspend, or a set clock
};
std::string_view Name(EventKind kind);
std::optional<EventKind> EventKindFromName(std::string_view name);

/// How an error behaves.
enum class Family : std::uint8_t {
  kOther,
  kOutOfMemory,      // the device's memory was not enough
  kSticky,           // stays until the process ends: 700, 719, 999
  kLost,             // the device is gone
  kHostOutOfMemory,  // the host's memory was not enough
  kHeap,             // the program's own heap limit was reached: Java, V8
  kSharedMemory,     // /dev/shm was full
  kHardware,         // a memory error that the hardware reports
  kCrash,            // ended by a signal that is never used for an orderly stop
};
std::string_view Name(Family family);
std::optional<Family> FamilyFromName(std::string_view name);

/// `source` indexes Evidence::sources(); line 0: the source as a whole.
struct Citation {
  std::uint32_t source = 0, line = 0;
  friend auto operator<=>(const Citation&, const Citation&) = default;
};

/// What all events of one sort share.
struct EventType {
  EventKind kind = EventKind::kError;
  Family family = Family::kOther;
  std::string name;         // of the pattern: "cuda-launch-failure"
  std::string code;         // "719"; empty: none
  std::string fingerprint;  // the text without numbers and quoted words; never what was spoken
  std::string unit;         // or the process's name; empty: unknown
  std::string subject;      // a model's name, a device; empty: none
  std::string meaning;      // from the pattern, for a person
  friend auto operator<=>(const EventType&, const EventType&) = default;
};

struct Event {
  Instant at;
  std::uint32_t type = 0;  // indexes Evidence::types()
  Citation from;
  std::uint32_t count = 1;  // "message repeated 49 times"
};

/// float: a relative error of 6e-8, in return for 16 bytes a point.
struct Point {
  Instant at;
  float value = 0;
  std::uint32_t line = 0;
};

struct Series {
  Metric metric = Metric::kRam;
  std::string device;  // "GPU 0"; empty: the host
  std::string owner;   // a process or unit; empty: all of the device or host
  std::uint32_t source = 0;
  std::vector<Point> points;  // by time after Finish
  std::uint64_t seen = 0;
  unsigned thinned = 0;  // 2^thinned readings to one point
};

/// One input and what became of its lines.
struct Source {
  std::string name, format;
  std::uint64_t lines = 0, samples = 0, events = 0;
  std::uint64_t bad = 0, duplicates = 0, unordered = 0, timeless = 0, clock_steps = 0;
  std::vector<std::string> notes;  // the first few things that were wrong or assumed
  std::optional<Instant> first, last;
  std::uint64_t suppressed = 0;  // messages that journald dropped, as it says
  bool zone_assumed = false;     // its times name no zone
  bool kernel = false;  // holds lines of the kernel: absence of Xid and suspend means something
  std::vector<Instant> kernel_times;  // of its lines, thinned: what is between close ones is known
};

class Evidence {
 public:
  static constexpr std::size_t kMostPoints = 3'000'000;  // of one series
  static constexpr std::size_t kMostEvents = 4'000'000;
  static constexpr std::size_t kMostTypes = 4096;
  static constexpr std::size_t kMostSeries = 1024;

  /// Readers call these.
  std::uint32_t AddSource(std::string name, std::string format);
  Source& source(std::uint32_t index) { return sources_[index]; }
  /// The series' index; the last one for all that is beyond kMostSeries.
  std::size_t SeriesFor(std::uint32_t source, Metric metric, std::string_view device,
                        std::string_view owner);
  void AddSample(std::size_t series, Instant at, double value, std::uint32_t line);
  /// For a column whose unit is known only when all of it was read.
  void Rescale(std::size_t series, double scale);
  std::uint32_t TypeFor(const EventType& type);
  void AddEvent(const Event& event, std::optional<std::uint64_t> identity = std::nullopt);
  void Bad(std::uint32_t source, std::uint32_t line, std::string_view why);
  void Note(std::uint32_t source, std::string text);
  /// How many lines name an engine: "vllm", "ollama".
  std::map<std::string, std::uint64_t> engines;
  /// Wall time minus the monotonic clock, where a journal has both.
  std::optional<Milliseconds> boot_offset;

  /// Sorts, and drops what came twice.
  void Finish();

  const std::vector<Source>& sources() const { return sources_; }
  const std::vector<Series>& series() const { return series_; }
  const std::vector<EventType>& types() const { return types_; }
  const std::vector<Event>& events() const { return events_; }
  const EventType& type(const Event& event) const { return types_[event.type]; }
  std::uint64_t events_dropped() const { return events_dropped_; }
  /// Of samples and events; nullopt when there is nothing.
  std::optional<Instant> first() const { return first_; }
  std::optional<Instant> last() const { return last_; }
  /// "gpu.csv:17"
  std::string Cite(const Citation& from) const;

 private:
  void Seen(Source& source, Instant at);

  std::vector<Source> sources_;
  std::vector<Series> series_;
  std::map<std::tuple<std::uint32_t, Metric, std::string, std::string>, std::size_t, std::less<>>
      series_index_;
  std::vector<EventType> types_;
  std::map<EventType, std::uint32_t> type_index_;
  std::vector<Event> events_;
  std::unordered_set<std::uint64_t> identities_;  // of events with one
  std::uint64_t events_dropped_ = 0;
  std::optional<Instant> first_, last_;
};

/// The text with numbers as #, quoted words as '…', at most 120 bytes.
std::string Fingerprint(std::string_view text);

}  // namespace headroom::analyze
