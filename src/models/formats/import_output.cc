#include "models/formats/import_output.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/file.h"

namespace headroom::models {

namespace fs = std::filesystem;

Result<PendingFile> PendingFile::Make(const fs::path& destination, Bytes size) {
  if (!destination.has_filename())
    return Fail(Errc::kInvalid, "{}: a file name is missing", destination.native());
  std::error_code ignored;
  if (fs::is_directory(destination, ignored))
    return Fail(Errc::kInvalid, "{}: is a folder", destination.native());
  TRY(MakeDirectories(destination.parent_path()));
  TRY_ASSIGN(const Bytes free, FreeSpace(destination.parent_path()));
  if (free < size)
    return Fail(Errc::kNoSpace, "{}: {} are needed and {} are free on that disk",
                destination.native(), FormatDecimal(size), FormatDecimal(free));
  std::string temporary = destination.native() + ".XXXXXX.part";
  Fd fd(::mkostemps(temporary.data(), 5, O_CLOEXEC));
  if (!fd) return FailErrno(errno, "write {}", destination.native());
  return PendingFile(destination, std::move(temporary), std::move(fd));
}

PendingFile::~PendingFile() {
  if (fd_) ::unlink(temporary_.c_str());
}

Result<> PendingFile::Write(std::span<const std::byte> bytes) {
  auto written = WriteAll(fd_.get(), bytes);
  if (!written) return Within(written, "write {}", destination_.native());
  return {};
}

Result<> PendingFile::Commit() {
  if (::fchmod(fd_.get(), 0644) != 0 || ::fsync(fd_.get()) != 0 ||
      ::rename(temporary_.c_str(), destination_.c_str()) != 0)
    return FailErrno(errno, "finish {}", destination_.native());
  fd_.Reset();
  return SyncDirectory(destination_.has_parent_path() ? destination_.parent_path() : ".");
}

}  // namespace headroom::models
