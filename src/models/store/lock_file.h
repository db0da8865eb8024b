// models.lock: what every model file in the store has to be. Written atomically; the format is in
// docs/models.md.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"

namespace headroom::models {

struct LockEntry {
  std::string file;  // plain name in the store's folder
  std::string sha256;
  Bytes bytes;
  std::string source;  // for people: an address, a package, a path
  std::string date;    // RFC 3339, UTC
};

struct LockFile {
  std::vector<LockEntry> entries;  // by file name, ascending

  const LockEntry* Find(std::string_view file) const;
  void Put(LockEntry entry);
  /// Whether there was one.
  bool Remove(std::string_view file);
};

/// kCorrupt with the line for anything that Format would not have written, unknown keys aside.
Result<LockFile> ParseLockFile(std::string_view text, const std::string& origin);
std::string Format(const LockFile& lock);

/// An absent file is an empty lock file.
Result<LockFile> ReadLockFile(const std::filesystem::path& path);

/// "2026-02-03T04:05:06Z"
std::string Rfc3339(WallTime time);

}  // namespace headroom::models
