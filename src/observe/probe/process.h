// Memory of our own processes: /proc/<pid>/status at every sample, smaps_rollup now and then.
// Formats: proc(5); Documentation/filesystems/proc.rst of the kernel.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace headroom::probe {

/// What /proc/<pid>/status says. The kernel keeps these counters in batches per CPU, so each may be
/// off by some dozen pages per thread; smaps_rollup is exact and costs more the more is mapped.
struct StatusMemory {
  Bytes rss, anon, file, shmem, swap;
  /// Memory that only a kill or swapping gives back, and so what the RAM zone counts.
  Bytes counted() const { return anon + shmem + swap; }
};

struct RollupMemory {
  Bytes rss;
  Bytes pss;  // shared pages divided by their users
  Bytes anon, swap;
  Bytes pss_shmem;  // zero before Linux 5.4
};

struct ProcessMemory {
  pid_t pid = 0;
  StatusMemory status;
  std::optional<RollupMemory> rollup;  // absent when not asked for or not permitted
};

/// nullopt for a kernel thread or zombie (no Vm lines) and for garbage.
std::optional<StatusMemory> ParseStatus(std::string_view text);
std::optional<RollupMemory> ParseSmapsRollup(std::string_view text);

/// One thread at a time.
class ProcessReader {
 public:
  explicit ProcessReader(std::filesystem::path root = "/");
  ~ProcessReader();

  /// The processes of `pids` that can be read, in that order; one that has ended is left out. A pid
  /// missing from the call is forgotten. status files stay open, so the number of an ended process
  /// that was given to a new one is not taken for ours as long as it is asked for.
  std::vector<ProcessMemory> Read(std::span<const pid_t> pids, bool with_rollup);

 private:
  struct Open;
  std::filesystem::path root_;
  std::map<pid_t, Open> open_;
};

}  // namespace headroom::probe
