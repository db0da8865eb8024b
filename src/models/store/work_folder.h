// A folder for what is needed only while a model is being made; gone with the object. What a killed
// program left is cleared by the next one.
#pragma once

#include <filesystem>

#include "base/error.h"
#include "base/file.h"

namespace headroom::models {

class WorkFolder {
 public:
  /// Inside `parent`, which is made when it is not there.
  static Result<WorkFolder> Make(const std::filesystem::path& parent);
  WorkFolder(WorkFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  WorkFolder(std::filesystem::path path, FileLock lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;  // empty: moved from
  FileLock lock_;               // held for as long as the folder is in use
};

}  // namespace headroom::models
