#include "models/store/work_folder.h"

#include <stdlib.h>

#include <cerrno>

namespace headroom::models {

namespace fs = std::filesystem;

namespace {

constexpr const char* kLock = "in-use";

void RemoveAbandoned(const fs::path& parent) {
  std::error_code error;
  for (fs::directory_iterator entry(parent, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    if (!entry->is_directory(ignored)) continue;
    const auto free = FileLock::Try(entry->path() / kLock);
    if (free) fs::remove_all(entry->path(), ignored);
  }
}

}  // namespace

Result<WorkFolder> WorkFolder::Make(const fs::path& parent) {
  TRY(MakeDirectories(parent));
  // Between making a folder and locking it another process must not take it for an abandoned one.
  TRY_ASSIGN(const FileLock alone, FileLock::Take(parent / "lock"));
  RemoveAbandoned(parent);
  std::string path = parent / "XXXXXX";
  if (!::mkdtemp(path.data())) return FailErrno(errno, "make a folder in {}", parent.string());
  TRY_ASSIGN(FileLock lock, FileLock::Try(fs::path(path) / kLock));
  return WorkFolder(path, std::move(lock));
}

WorkFolder::~WorkFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace headroom::models
