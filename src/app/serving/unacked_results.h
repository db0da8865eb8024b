// The texts of one stream, kept until its client has them: in memory, and in a file so that they
// outlive the service. A line of JSON each, flushed before the client is told; a torn last line is
// ignored. When what the client has outweighs the rest the file is written anew. One thread at a
// time.
#pragma once

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
  std::string text;
  std::string language;
  Milliseconds audio{};
  std::string failed;  // why there is no text; "" : there is
};

class UnackedResults {
 public:
  static constexpr std::size_t kMost = 1'000;  // then the oldest goes
  /// What is acknowledged may lie in the file up to here, or for as long as it is less than the
  /// rest.
  static constexpr Bytes kSlack = KiB(64);

  /// Takes up what is there. The file is made with mode 0600.
  static Result<UnackedResults> Open(const std::filesystem::path& path);

  /// Once for each item; false: it was there before. An error: it is not on disk, but it is here.
  Result<bool> Add(UnackedResult result);
  /// The client has it, and what came before it.
  void Acknowledge(std::uint64_t item);
  /// In order, those that are not acknowledged.
  const std::deque<UnackedResult>& result() const { return results_; }

 private:
  UnackedResults() = default;
  void Keep(UnackedResult result);
  void DropFirst();
  Result<> Rewrite();

  std::filesystem::path path_;
  Fd file_;
  std::deque<UnackedResult> results_;
  std::int64_t written_ = 0, wanted_ = 0;  // bytes of the file, and those of results_'s lines in it
  std::uint64_t last_ = 0;                 // the highest that ever came
};

}  // namespace headroom::app
