// A command run in the foreground, as a shell would: same terminal, same process group. Not for our
// own programs; those are base/child.h.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"

namespace headroom::watch {

class Command {
 public:
  /// kNotFound, kPermission: it cannot be executed. From now on orphans of its children become
  /// ours, so that they are still found.
  static Result<Command> Start(const std::vector<std::string>& argv);
  Command(Command&&) = default;

  pid_t pid() const { return pid_; }
  /// nullopt when `deadline` passes first.
  Result<std::optional<Exit>> WaitUntil(MonoTime deadline);
  /// The largest resident set that it, or any child it waited for, ever had; valid after the end.
  Bytes most_rss() const { return most_rss_; }
  void Signal(int signal) const;

 private:
  Command(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  pid_t pid_;
  Fd pidfd_;
  std::optional<Exit> exit_;
  Bytes most_rss_;
};

}  // namespace headroom::watch
