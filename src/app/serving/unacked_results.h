// The texts of one stream, kept until its client has them: in memory, and in a file so that they
// outlive the service. A line of JSON each, flushed before the client hears of it; a torn last line
// is ignored. When what the client has outweighs the rest the file is rewritten. Either class: one
// thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

namespace headroom::app {

struct UnackedResult {
  std::uint64_t item = 0;  // ascending
  std::string text = {};
  std::string language = {};
  Milliseconds audio{};
  std::string failed = {};        // why there is no text; "" : there is
  Errc code = Errc::kWorkerLost;  // with `failed`
};

/// In memory.
class UnackedResults {
 public:
  static constexpr std::size_t kMost = 1'000;  // then the oldest goes

  /// Nothing with that number, or a higher one, was added before.
  bool IsNew(std::uint64_t item) const { return item > last_; }
  void Add(UnackedResult result);
  /// The client has it, and what came before it.
  void Acknowledge(std::uint64_t item);
  /// In order, those that are not acknowledged.
  const std::deque<UnackedResult>& result() const { return results_; }

  /// Their lines in a file.
  std::string Lines() const;
  std::int64_t bytes() const { return bytes_; }  // of Lines

 private:
  void DropFirst();

  std::deque<UnackedResult> results_;
  std::int64_t bytes_ = 0;
  std::uint64_t last_ = 0;  // the highest that ever came
};

/// On disk. Its functions wait for the disk: no lock should be held.
class ResultFile {
 public:
  /// What is acknowledged may lie in the file up to here, or for as long as it is less than the
  /// rest.
  static constexpr Bytes kSlack = KiB(64);

  /// Adds what is there to `found`. The file is made with mode 0600.
  static Result<ResultFile> Open(const std::filesystem::path& path, UnackedResults& found);

  /// `wanted` bytes of it are not acknowledged, and the rest is worth a Rewrite.
  bool Outgrown(std::int64_t wanted) const {
    return written_ - wanted > std::max(kSlack.n, wanted);
  }
  /// Replaces what is there by `lines` and the newest, from which the next start knows how far
  /// the numbers had come.
  Result<> Rewrite(std::string lines, const UnackedResult& newest);
  Result<> Append(const UnackedResult& newest);

 private:
  ResultFile() = default;

  std::filesystem::path path_;
  Fd file_;
  std::int64_t written_ = 0;  // bytes
};

}  // namespace headroom::app
