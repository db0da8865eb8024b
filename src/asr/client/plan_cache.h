// Plans that were made before, one small JSON file each, so that a plan costs nothing the second
// time. An entry that is damaged, of another key or of another version is as good as none. Several
// processes may use one folder. Format: docs/memory.md.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "asr/client/protocol.h"
#include "base/clock.h"

namespace headroom::asr {

/// Everything that a plan depends on.
struct PlanKey {
  std::string header;      // SHA-256 of the model file's header
  Bytes size;              // of the model file
  std::int64_t mtime = 0;  // of the model file, nanoseconds; 0 for a skeleton
  std::string engine;      // the engine's version, and what identifies the worker program
  std::string profile;     // SHA-256 of the device profile; "" for the plain device
  std::vector<Milliseconds> chunks;
  int batch = 1;
  bool cpu = false;
};

class PlanCache {
 public:
  explicit PlanCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// nullopt when there is none.
  std::optional<PlanResult> Find(const PlanKey& key) const;
  /// A cache that cannot be written is no error.
  void Store(const PlanKey& key, const PlanResult& plan) const;

  /// The entry's file, whether it is there or not.
  std::filesystem::path PathOf(const PlanKey& key) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace headroom::asr
