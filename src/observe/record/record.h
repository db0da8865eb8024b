// What a flight record holds: samples (what was measured at one moment) and events. The file
// format, its tables and its promises are in docs/flight-record.md.
//
// No spoken word: a sample is numbers and names of processes, an event's attributes are a closed
// list of keys, and none of them holds spoken text.
#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "memory/governor.h"
#include "memory/zones.h"

namespace headroom::record {

/// PRAGMA user_version of the files written here.
inline constexpr int kSchemaVersion = 1;

/// By both clocks, so that a jump of the wall clock can be seen and a suspend measured. Files hold
/// milliseconds. `mono` counts from the boot that the run names and stands still while suspended.
struct Moment {
  MonoTime mono{};
  WallTime wall{};
  friend bool operator==(const Moment&, const Moment&) = default;
};
Moment Now(const Clock& clock);

/// The whole machine. Absent: not known, never zero.
struct HostSample {
  std::optional<Bytes> total, available, swap_total, swap_used;
  std::optional<double> psi_some, psi_full;  // memory, percent of the last 10 s
  friend bool operator==(const HostSample&, const HostSample&) = default;
};

/// The service that is recorded as a whole: Headroom's processes, or those that are watched.
struct ServiceSample {
  std::optional<Bytes> ram;   // anonymous + shared memory + swap of its processes
  std::optional<Bytes> swap;  // of its processes
  std::optional<Bytes> cgroup_current, cgroup_high, cgroup_max, cgroup_swap;
  std::optional<Bytes> room;              // the least left under any limit above
  std::optional<std::int64_t> oom_kills;  // of the cgroup, since it was made
  std::optional<double> psi_full;         // of the cgroup
  std::optional<Milliseconds> queue;      // speech that waits for its text
  std::array<std::optional<memory::Zone>, memory::kGauges> zones;
  std::string tier;  // "canary-1b-flash:Q8_0 cuda"; empty: no model is loaded
  friend bool operator==(const ServiceSample&, const ServiceSample&) = default;
};

enum class GpuState { kActive, kSuspended, kResting, kLost, kError, kLate };
/// "active", …; kLate: the driver did not answer in time, the numbers are absent.
std::string_view Name(GpuState state);
std::optional<GpuState> GpuStateFromName(std::string_view name);

struct GpuSample {
  std::string gpu;  // PCI address, "0000:01:00.0"
  GpuState state = GpuState::kActive;
  std::optional<Bytes> total, used;  // everybody's use
  std::optional<Bytes> own;          // of the recorded service
  std::optional<Bytes> others() const {
    return used && own ? std::optional(*used - *own) : std::nullopt;
  }
  friend bool operator==(const GpuSample&, const GpuSample&) = default;
};

struct ProcessSample {
  pid_t pid = 0;
  std::string role;  // "daemon", "worker cuda", "probe"; of a watched process its name
  std::optional<Bytes> rss;
  std::optional<Bytes> counted;  // anonymous + shared memory + swap
  std::optional<Bytes> pss;      // read now and then
  std::optional<Bytes> swap;
  std::optional<Bytes> gpu;  // its memory on all GPUs
  friend bool operator==(const ProcessSample&, const ProcessSample&) = default;
};

struct Sample {
  Moment at;
  HostSample host;
  ServiceSample service;
  std::vector<GpuSample> gpus;
  std::vector<ProcessSample> processes;
  /// Set by the reader: how long these values held, by the monotonic clock. Zero where the record
  /// does not say (a gap, a crash); so sums of it never count a gap as anything.
  Milliseconds holds{0};
};

/// Names of a GPU, recorded once.
struct GpuName {
  std::string gpu;  // PCI address
  std::string name, driver, uuid;
  friend bool operator==(const GpuName&, const GpuName&) = default;
};

enum class EventKind {
  kStart,          // of the recorded service; version
  kStop,           // reason
  kModelLoading,   // tier, bytes
  kModelReady,     // tier, bytes, ms
  kModelUnloaded,  // tier, reason
  kSpeechBegin,    // utterance
  kSpeechEnd,      // utterance, audio_ms
  kUtterance,      // utterance, step (e.g. "decoded"), ms since the step before, tier
  kZone,           // gauge, from, to
  kAction,         // action, reason, tier
  kError,          // class, code, source, tier
  kWorkerExit,     // tier, pid, exit_code or signal, ms
  kSuspend,
  kResume,     // ms that the machine slept
  kDevice,     // card, from, to (states), reason
  kDriver,     // driver, version
  kConfig,     // key
  kKernel,     // class (oom_kill, xid, amdgpu_reset, …), code, pid, name
  kTarget,     // of a watched target: step (found, ended, waiting), pid, name, exit_code
  kKept,       // the black box was written: reason, samples
  kDropped,    // samples and events that did not fit into the queue, or the day's bytes
  kRecording,  // the record itself: step (stopped, resumed, set_aside), reason, ms
  kClock,      // the wall clock jumped: ms
  kMark,       // a person's mark: name
};
/// Stable lower-case names, in files and JSON: "model_ready".
std::string_view Name(EventKind kind);
std::optional<EventKind> EventKindFromName(std::string_view name);

/// What an event may say. Closed, and none of these is for anything that was spoken.
enum class Key {
  kAction,
  kAudioMs,
  kBytes,
  kGpu,
  kClass,
  kCode,
  kCount,
  kDriver,
  kEvents,
  kExitCode,
  kFrom,
  kGauge,
  kKey,
  kMs,
  kName,
  kPid,
  kReason,
  kSamples,
  kSignal,
  kSource,
  kStep,
  kTier,
  kTo,
  kUtterance,
  kVersion,
};
inline constexpr std::size_t kKeys = static_cast<std::size_t>(Key::kVersion) + 1;
std::string_view Name(Key key);  // "audio_ms", …
std::optional<Key> KeyFromName(std::string_view name);

using Value = std::variant<std::int64_t, double, std::string>;

inline constexpr std::size_t kMostText = 200;       // bytes of any text of an event
inline constexpr std::size_t kMostAttributes = 16;  // of one event

struct Attribute {
  Key key;
  Value value;
  friend bool operator==(const Attribute&, const Attribute&) = default;
};

struct Event {
  EventKind kind = EventKind::kMark;
  Moment at;
  std::vector<Attribute> attributes;  // each key once

  /// Adds or replaces. Text is made printable and cut to kMostText; beyond kMostAttributes nothing
  /// is added.
  template <class T>
  Event& With(Key key, const T& value) & {
    if constexpr (std::is_integral_v<T>)
      return Put(key, static_cast<std::int64_t>(value));
    else if constexpr (std::is_floating_point_v<T>)
      return Put(key, static_cast<double>(value));
    else
      return Put(key, std::string(std::string_view(value)));
  }
  template <class T>
  Event&& With(Key key, const T& value) && {
    return std::move(With(key, value));
  }
  std::optional<std::int64_t> Integer(Key key) const;
  std::optional<double> Number(Key key) const;  // integers too
  std::string_view Text(Key key) const;         // "" without it
  /// How often it happened: attribute `count`, 1 without it. Equal errors of one second are one
  /// event.
  std::int64_t count() const;

  friend bool operator==(const Event&, const Event&) = default;

 private:
  Event& Put(Key key, Value value);
};

/// Attributes as JSON, {"code":719,"class":"sticky"}; "" for none.
std::string AttributesToJson(const Event& event);
/// Unknown keys and values of other types are left out; anything that is no object gives none.
std::vector<Attribute> AttributesFromJson(std::string_view json);

Event ZoneEvent(Moment at, memory::Gauge gauge, memory::Zone from, memory::Zone to);
/// `tier`: the name of the action's target, "" without one.
Event ActionEvent(Moment at, const memory::Action& action, std::string_view tier);
/// `error_class`: "out_of_memory", "sticky", …, memory::Name(Failure) or Name(Errc); `code`: the
/// driver's or errno, when there is one; `source`: "worker", "audio", ….
Event ErrorEvent(Moment at, std::string_view error_class, std::optional<std::int64_t> code,
                 std::string_view source);

/// One session of one writer.
struct Run {
  std::int64_t id = 0;  // ascending; of several files together, counted by the reader
  std::string boot;     // /proc/sys/kernel/random/boot_id
  std::string program, version;
  std::string target;  // of a watch, as the person named it; empty: Headroom itself
  pid_t pid = 0;
  Moment began;
  std::optional<Moment> ended;  // absent: still going on, or it was killed
  friend bool operator==(const Run&, const Run&) = default;
};

}  // namespace headroom::record
