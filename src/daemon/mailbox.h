// The texts of one stream, kept until its client has them: in memory, and in a file so that they
// outlive the service. A line of JSON each, flushed before the client is told; a torn last line is
// ignored. One thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

namespace headroom::daemon {

struct Mail {
  std::uint64_t item = 0;  // ascending
  std::string text;
  std::string language;
  Milliseconds audio{};
  std::string failed;  // why there is no text; "" : there is
};

class Mailbox {
 public:
  static constexpr std::size_t kMost = 1'000;  // then the oldest goes

  /// Takes up what is there. The file is made with mode 0600.
  static Result<Mailbox> Open(const std::filesystem::path& path);

  /// Once for each item; false: it was there before. An error: it is not on disk, but it is here.
  Result<bool> Add(Mail mail);
  /// The client has it, and what came before it.
  void Acknowledge(std::uint64_t item);
  /// In order, those that are not acknowledged.
  const std::deque<Mail>& mail() const { return mail_; }

 private:
  Fd file_;
  std::deque<Mail> mail_;
  std::uint64_t last_ = 0;  // the highest that ever came
};

}  // namespace headroom::daemon
