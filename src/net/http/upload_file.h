// A recording that comes over the network, in a file without a name: no other program can open it,
// and it is gone with its last descriptor, also after a crash.
#pragma once

#include <filesystem>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"

namespace headroom::net {

class UploadFile {
 public:
  /// In `folder`, which is made when needed; mode 0600. kNoSpace when less than `expected` and a
  /// reserve for others is free there.
  static Result<UploadFile> Make(const std::filesystem::path& folder, Bytes expected, Bytes limit);

  /// kUnsupported: more than the limit. kNoSpace: the disk is full.
  Result<> Append(std::string_view bytes);
  Bytes size() const { return size_; }
  /// Set to its begin. Call once.
  Result<Fd> Take();

 private:
  UploadFile(Fd fd, Bytes limit) : fd_(std::move(fd)), limit_(limit) {}
  Fd fd_;
  Bytes limit_, size_;
};

}  // namespace headroom::net
