// libarchive's handles with owners, and its failures as our errors.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <string_view>

#include "base/error.h"
#include "base/owned.h"

namespace headroom::models {

using ArchiveReader = Owned<archive, archive_read_free>;
using ArchiveWriter = Owned<archive, archive_write_free>;
using ArchiveEntry = Owned<archive_entry, archive_entry_free>;

inline std::unexpected<Error> FailArchive(archive* a, Errc code, std::string_view what) {
  const char* reason = archive_error_string(a);
  return Fail(code, "{}: {}", what, reason ? reason : "cannot be read as an archive");
}

}  // namespace headroom::models
