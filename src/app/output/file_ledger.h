// Where in a file each of the last texts was put, so that a text that is delivered again after a
// crash is there once. It holds no text. The format is in docs/desktop.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/fd.h"

namespace headroom::output {

struct LedgerEntry {
  std::uint64_t id = 0;
  std::uint64_t offset = 0;  // of the first byte
  std::uint64_t bytes = 0;
};

class FileLedger {
 public:
  /// The ledger of `file`, in `folder`, which is made when it is not there.
  static Result<FileLedger> Open(const std::filesystem::path& folder,
                                 const std::filesystem::path& file);

  /// On the disk when it returns. Replaces the entry of 64 ids before.
  Result<> Write(const LedgerEntry& entry);
  /// nullopt when there is none, or when it is not whole.
  Result<std::optional<LedgerEntry>> Find(std::uint64_t id) const;

 private:
  explicit FileLedger(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace headroom::output
