// Memory of our control group and the limits above it (cgroup v2 only).
// Formats: Documentation/admin-guide/cgroup-v2.rst of the kernel; cgroups(7) for /proc/self/cgroup.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "observe/probe/host.h"
#include "observe/probe/kernel_text.h"

namespace headroom::probe {

/// memory.events: how often, since the group was made; of the group and those below it.
struct MemoryEvents {
  std::int64_t low = 0, high = 0, max = 0, oom = 0, oom_kill = 0;
};

struct CgroupMemory {
  std::string path;  // "/user.slice/…", as /proc/self/cgroup says it
  Bytes current;
  std::optional<Bytes> high, max;  // this group's own; absent: "max", no limit
  /// The smallest on the way to the root, our own included; absent: none anywhere.
  std::optional<Bytes> effective_high, effective_max;
  /// The least that is left under any high or max on the way, what others use there counted; zero
  /// when one is exceeded, absent without a limit.
  std::optional<Bytes> room;
  std::optional<Bytes> swap_current, swap_max;
  std::optional<MemoryEvents> events;
  std::optional<Pressure> pressure;
};

/// The v2 path of /proc/<pid>/cgroup ("0::/a/b"); nullopt without one, or when it leaves the
/// hierarchy we can see ("/../x", another cgroup namespace).
std::optional<std::string> ParseCgroupPath(std::string_view text);
std::optional<MemoryEvents> ParseMemoryEvents(std::string_view text);

/// Where cgroup v2 is mounted: alone, or beside v1 ("hybrid").
std::filesystem::path CgroupMount(const std::filesystem::path& root);

/// One thread at a time.
class CgroupReader {
 public:
  /// `group`: that one ("/system.slice/x.service"); without it our own.
  explicit CgroupReader(std::filesystem::path root = "/", std::optional<std::string> group = {});

  /// nullopt: no cgroup v2, or no memory controller for our group. Follows a move to another group.
  std::optional<CgroupMemory> Read();

 private:
  struct Level {
    KernelFile current, high, max;
  };
  void Follow(std::string path);

  std::filesystem::path root_;
  std::optional<std::string> group_;
  KernelFile self_;
  std::string path_;           // of the group that the files below belong to
  std::vector<Level> levels_;  // ours first, then its parents; the root group has no limits
  std::vector<KernelFile> own_;
};

}  // namespace headroom::probe
