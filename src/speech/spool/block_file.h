// The seam between the spool and the disk: a file that is read and written in place. Tests put a
// disk behind it that is full, tears writes or loses power.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"

namespace headroom::speech {

class BlockFile {
 public:
  virtual ~BlockFile() = default;

  /// For messages.
  virtual std::string name() const = 0;
  virtual std::int64_t size() const = 0;
  /// What is new is zeros and really allocated, so that writing it later cannot fail for want of
  /// space; kNoSpace, and the file as it was, when the disk has not so much.
  virtual Result<> Resize(std::int64_t size) = 0;
  /// All of `into`, which lies within the file.
  virtual Result<> Read(std::int64_t offset, std::span<std::byte> into) const = 0;
  virtual Result<> Write(std::int64_t offset, std::span<const std::byte> bytes) = 0;
  /// What was written before stays, whatever happens now.
  virtual Result<> Sync() = 0;
};

/// A regular file, made when it is not there; mode 0600, whatever it had. Copy-on-write is switched
/// off for a new one where the file system knows how (btrfs), since there overwriting takes space.
Result<std::unique_ptr<BlockFile>> OpenBlockFile(const std::filesystem::path& path);

}  // namespace headroom::speech
