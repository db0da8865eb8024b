// Finding processes in /proc: who they are, whose children, how they were started.
// Format: proc(5). What cannot be read is left out.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace headroom::watch {

struct Process {
  pid_t pid = 0, parent = 0;
  std::uint64_t started = 0;  // ticks since boot; with the pid it names a process for ever
  std::string name;           // at most 15 bytes, printable
  Bytes rss;
  friend bool operator==(const Process&, const Process&) = default;
};

/// A line of /proc/PID/stat. nullopt for garbage and for zombies, which hold no memory.
std::optional<Process> ParseStat(std::string_view text);

std::optional<Process> ReadProcess(const std::filesystem::path& root, pid_t pid);
/// About 10 us for each process of the machine.
std::vector<Process> AllProcesses(const std::filesystem::path& root);
/// /proc/PID/cmdline; empty for kernel threads.
std::vector<std::string> CommandLine(const std::filesystem::path& root, pid_t pid);

/// Those of `all` whose pid is in `roots`, and their children, and theirs.
std::vector<Process> WithChildren(std::span<const pid_t> roots, std::span<const Process> all);

}  // namespace headroom::watch
