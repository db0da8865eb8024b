// Files by path: bounded reads, atomic writes, locks, free space.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"

namespace headroom {

/// The whole file; kInvalid when it is larger than `limit`, so that a wrong path cannot eat memory.
Result<std::string> ReadFile(const std::filesystem::path& path, Bytes limit = MiB(16));

/// Writes beside the target, syncs, renames. After a crash the target is the old or the new text.
Result<> WriteFileAtomic(const std::filesystem::path& path, std::string_view text,
                         unsigned mode = 0600);

/// mkdir -p; new directories get mode 0700.
Result<> MakeDirectories(const std::filesystem::path& path);

/// Bytes an ordinary user may still write where `path` (or its nearest existing parent) lives.
Result<Bytes> FreeSpace(const std::filesystem::path& path);

/// fsync of a directory, so that a rename inside it survives a power loss.
Result<> SyncDirectory(const std::filesystem::path& directory);

/// An exclusive flock(2), held until destruction and freed by the kernel when the process dies.
class FileLock {
 public:
  /// Waits while another holds it.
  static Result<FileLock> Take(const std::filesystem::path& path);
  /// kBusy when another holds it.
  static Result<FileLock> Try(const std::filesystem::path& path);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  static Result<FileLock> Lock(const std::filesystem::path& path, int operation);
  Fd fd_;
};

}  // namespace headroom
