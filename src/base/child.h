// Child processes: spawned with exactly the descriptors they are given, waited for with a deadline.
// Thread-safe: Spawn may be called from any thread; one Child belongs to one thread at a time.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

namespace headroom {

struct ChildOptions {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH when it has no slash
  /// (descriptor in the child, descriptor here). 0, 1 and 2 not named are /dev/null, /dev/null and
  /// inherited. Everything else is closed on exec.
  std::vector<std::pair<int, int>> fds;
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours
};

/// How a process ended.
struct Exit {
  int code = 0;    // valid when signal is 0
  int signal = 0;  // 0: it exited by itself
  bool ok() const { return code == 0 && signal == 0; }
};
/// "exited with 3", "was killed by signal 11 (Segmentation fault)"
std::string Describe(const Exit& exit);

class Child {
 public:
  /// The process leads its own process group, so a terminal's Ctrl-C reaches only us.
  /// A program that cannot be executed is an error here, not an exit code later.
  static Result<Child> Spawn(const ChildOptions& options);

  Child(Child&& other) noexcept = default;
  Child& operator=(Child&& other) noexcept;
  ~Child() { Kill(); }  // kills and reaps

  pid_t pid() const { return pid_; }
  /// Readable (poll) once the process has ended.
  int pidfd() const { return pidfd_.get(); }

  /// nullopt when `deadline` passes first. Once it has ended, always the same Exit.
  Result<std::optional<Exit>> WaitUntil(MonoTime deadline, const Clock& clock = SystemClock());
  Result<Exit> Wait();
  void Signal(int signal) const;
  /// SIGKILL to the whole group, and reap. Does nothing once it has ended.
  void Kill();

 private:
  Child(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_ = -1;
  Fd pidfd_;  // empty when moved from
  std::optional<Exit> exit_;
};

}  // namespace headroom
