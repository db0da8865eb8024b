// libarchive's handles with owners, and its failures as our errors.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <string_view>

#include "base/error.h"

namespace headroom::models {

struct FreeArchiveRead {
  void operator()(archive* a) const { archive_read_free(a); }
};
struct FreeArchiveWrite {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct FreeArchiveEntry {
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};
using ArchiveReader = std::unique_ptr<archive, FreeArchiveRead>;
using ArchiveWriter = std::unique_ptr<archive, FreeArchiveWrite>;
using ArchiveEntry = std::unique_ptr<archive_entry, FreeArchiveEntry>;

inline std::unexpected<Error> FailArchive(archive* a, Errc code, std::string_view what) {
  const char* reason = archive_error_string(a);
  return Fail(code, "{}: {}", what, reason ? reason : "cannot be read as an archive");
}

}  // namespace headroom::models
