// A file that appears at its place whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"

namespace headroom::models {

class PendingFile {
 public:
  /// Creates the destination's folder and a temporary file in it. kNoSpace when `size` bytes would
  /// not fit.
  static Result<PendingFile> Make(const std::filesystem::path& destination, Bytes size);

  PendingFile(PendingFile&& other) noexcept = default;
  PendingFile& operator=(PendingFile&&) = delete;
  ~PendingFile();  // deletes the temporary file unless committed

  /// In the destination's folder; another process may write it instead of Write().
  const std::filesystem::path& path() const { return temporary_; }
  int fd() const { return fd_.get(); }

  Result<> Write(std::span<const std::byte> bytes);
  /// Syncs, renames to the destination (replacing it), syncs the folder.
  Result<> Commit();

 private:
  PendingFile(std::filesystem::path destination, std::filesystem::path temporary, Fd fd)
      : destination_(std::move(destination)),
        temporary_(std::move(temporary)),
        fd_(std::move(fd)) {}

  std::filesystem::path destination_, temporary_;
  Fd fd_;  // empty when committed or moved from
};

}  // namespace headroom::models
