#include "net/http/upload_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

namespace headroom::net {
namespace {

constexpr Bytes kReserve = MiB(256);  // of the disk, for everything else that is written there

}  // namespace

Result<UploadFile> UploadFile::Make(const std::filesystem::path& folder, Bytes expected,
                                    Bytes limit) {
  TRY(MakeDirectories(folder));
  TRY_ASSIGN(const Bytes free, FreeSpace(folder));
  if (free < expected + kReserve)
    return Fail(Errc::kNoSpace, "the disk has no room for this recording ({} are free)",
                FormatDecimal(free));
  int fd = ::open(folder.c_str(), O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
    // A file system without nameless files.
    std::string name = (folder / ".upload.XXXXXX").string();
    fd = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd >= 0) ::unlink(name.c_str());
  }
  if (fd < 0) return FailErrno(errno, "make a file for a recording");
  return UploadFile(Fd(fd), limit);
}

Result<> UploadFile::Append(std::string_view bytes) {
  size_ += Bytes(static_cast<std::int64_t>(bytes.size()));
  if (size_ > limit_)
    return Fail(Errc::kUnsupported, "the recording is larger than {}", FormatBinary(limit_));
  auto written = WriteAll(fd_.get(), bytes);
  if (!written) return Within(written, "keep the recording");
  return {};
}

Result<Fd> UploadFile::Take() {
  if (::lseek(fd_.get(), 0, SEEK_SET) != 0) return FailErrno(errno, "read the recording");
  return std::move(fd_);
}

}  // namespace headroom::net
