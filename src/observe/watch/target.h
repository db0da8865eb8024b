// Whom to watch: a target as a person names it, and the processes and control group that it is at
// this moment. Restarts are followed.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "observe/watch/processes.h"

namespace headroom::watch {

enum class TargetKind {
  kPid,   // "4711", "pid:4711": it and its children; when it ends, one with the same command line
  kName,  // "ollama", "name:ollama": all of that name (or path) and their children
  kUnit,  // "ollama.service", "unit:ollama": a systemd unit, the system's or the user's
  kContainer,  // "container:web": of docker or podman
  kCgroup,     // "/system.slice/x.service", "cgroup:/…"
  kChildren,   // not by a name: all below a process of ours, without the probe
  kMachine,    // "": the whole machine; its largest processes
};

struct Target {
  TargetKind kind = TargetKind::kMachine;
  std::string name;
  pid_t pid = 0;
};

/// kInvalid for a pid that is none, a relative cgroup path or an empty name after a prefix.
Result<Target> ParseTarget(std::string_view text);
/// As ParseTarget takes it.
std::string ToText(const Target& target);

/// What the target is made of now. Nothing: it does not run.
struct Members {
  std::vector<Process> processes;
  std::optional<std::string>
      cgroup;  // whose memory counts as the target's; absent: none of its own
};

/// What a program wrote to standard output; an error when it failed or took too long. A seam.
using RunProgram = std::function<Result<std::string>(const std::vector<std::string>& argv)>;
RunProgram RealPrograms(Milliseconds deadline = Milliseconds(3'000));

/// One thread at a time. Looking at a known target costs some file reads; looking for one that is
/// not there scans /proc or asks systemctl, at most every two seconds.
class Finder {
 public:
  explicit Finder(Target target, std::filesystem::path root = "/", RunProgram run = RealPrograms(),
                  Milliseconds look_every = Milliseconds(2'000));

  /// The members at `now`. kNotFound only from tools that are missing (no docker, no systemctl).
  Result<Members> Find(MonoTime now);

 private:
  Result<Members> Look();
  std::vector<Process> Named(const std::vector<Process>& all) const;
  Members OfCgroup(const std::string& path) const;
  Members OfProcess(pid_t pid, const std::vector<Process>& all) const;

  Target target_;
  std::filesystem::path root_;
  RunProgram run_;
  Milliseconds look_every_;
  Members last_;
  std::optional<MonoTime> looked_;
  std::optional<Process> main_;            // kPid
  std::vector<std::string> command_line_;  // kPid, of it
};

}  // namespace headroom::watch
