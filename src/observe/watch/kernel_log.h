// Lines of the kernel's log that say what happened to memory and GPUs: /dev/kmsg, as far as this
// user may read it. Format: Documentation/ABI/testing/dev-kmsg of the kernel.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "observe/record/record.h"

namespace headroom::watch {

/// An event of kind kKernel for a line that matters (class oom_kill, xid, amdgpu_reset), kSuspend
/// or kResume for those of the power code; nullopt for every other line. `at` is left to the
/// caller.
std::optional<record::Event> ParseKernelLine(std::string_view message);

/// What follows the ';' of a record of /dev/kmsg, its first line.
std::string_view KmsgMessage(std::string_view record);

/// One thread at a time. Without permission it simply has nothing to say.
class KernelLog {
 public:
  /// From now on; older lines are not looked at.
  explicit KernelLog(const std::string& path = "/dev/kmsg");

  bool readable() const { return static_cast<bool>(fd_); }
  /// Those that came since the last call, with the time of the call.
  std::vector<record::Event> Read(record::Moment at);

 private:
  Fd fd_;
};

}  // namespace headroom::watch
