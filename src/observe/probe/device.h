// One GPU as a sample shows it, and the lines in which headroom-probe and its client speak of it.
// The line format is described in docs/probes.md.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace headroom::probe {

enum class DeviceKind { kDiscrete, kUnified };

enum class DeviceState {
  kActive,     // was read
  kSuspended,  // powered down by the kernel; nothing of it was touched
  kResting,    // awake or not, but left alone so that it may go to sleep
  kLost,       // fallen off the bus or in need of a reset
  kError,      // could not be read; `trouble` says why
};

/// Stable lower-case names, used in JSON: "discrete", "suspended".
std::string_view Name(DeviceKind kind);
std::string_view Name(DeviceState state);

struct DeviceUse {
  pid_t pid = 0;
  std::optional<Bytes> used;  // absent: the driver does not say
};

struct Device {
  std::string pci;   // "0000:01:00.0", the stable key of a GPU
  std::string name;  // printable, at most kMostName bytes
  std::string uuid;  // empty where the driver has none
  std::string driver;
  DeviceKind kind = DeviceKind::kDiscrete;
  DeviceState state = DeviceState::kError;
  bool can_sleep = false;  // the kernel may suspend it when no process uses it
  /// Absent unless kActive. Discrete: the GPU's memory. Unified: its carve-out and what it may
  /// take of the host (GTT) together.
  std::optional<Bytes> total, used;
  std::optional<Bytes> gtt_total, gtt_used;  // amdgpu: host memory the GPU reaches
  std::vector<DeviceUse> processes;          // those that are known; not everybody's
  std::string trouble;
};

inline constexpr std::size_t kMostName = 128;         // bytes of any text
inline constexpr std::size_t kMostDevices = 64;       // in one answer
inline constexpr std::size_t kMostProcesses = 1024;   // of one device
inline constexpr std::size_t kMostLine = 256u << 10;  // bytes, both ways

struct Request {
  std::int64_t seq = 0;
  bool rest = false;        // let go of every driver; look at sysfs only
  std::vector<pid_t> ours;  // whose use is looked up where a driver knows only by process
};

struct Answer {
  std::int64_t seq = 0;
  std::int64_t took_us = 0;  // in headroom-probe
  std::vector<Device> devices;
};

/// One line without its newline. What was understood survives the way there and back.
std::string FormatRequest(const Request& request);
std::string FormatAnswer(const Answer& answer);
/// kProtocol for anything malformed, out of bounds or too long; texts are made printable.
Result<Request> ParseRequest(std::string_view line);
Result<Answer> ParseAnswer(std::string_view line);

}  // namespace headroom::probe
