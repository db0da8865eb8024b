#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

namespace headroom {

namespace fs = std::filesystem;

Result<std::string> ReadFile(const fs::path& path, Bytes limit) {
  TRY_ASSIGN(const Fd fd, Open(path, O_RDONLY));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return FailErrno(errno, "{}", path.string());
  if (S_ISDIR(info.st_mode))
    return Fail(Errc::kInvalid, "{}: is a folder, not a file", path.string());
  std::string text;
  std::byte block[65536];
  while (true) {
    auto n = ReadSome(fd.get(), block);
    if (!n) return Within(n, "{}", path.string());
    if (*n == 0) return text;
    text.append(reinterpret_cast<const char*>(block), *n);
    if (static_cast<std::int64_t>(text.size()) > limit.n)
      return Fail(Errc::kInvalid, "{}: larger than {}", path.string(), FormatBinary(limit));
  }
}

Result<> WriteFileAtomic(const fs::path& path, std::string_view text, unsigned mode) {
  std::string temporary = path.string() + ".XXXXXX";
  Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return FailErrno(errno, "write {}", path.string());
  const auto give_up = [&](Error error) {
    ::unlink(temporary.c_str());
    return Fail(std::move(error).Within("write " + path.string()));
  };
  if (auto written = WriteAll(fd.get(), text); !written) return give_up(written.error());
  if (::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0 ||
      ::rename(temporary.c_str(), path.c_str()) != 0)
    return give_up(Errno(errno, "finish"));
  return SyncDirectory(path.has_parent_path() ? path.parent_path() : ".");
}

Result<> MakeDirectories(const fs::path& path) {
  if (path.empty() || fs::is_directory(path)) return {};
  if (path.has_parent_path() && path.parent_path() != path)
    TRY(MakeDirectories(path.parent_path()));
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return FailErrno(errno, "make folder {}", path.string());
  return {};
}

Result<Bytes> FreeSpace(const fs::path& path) {
  fs::path where = path.empty() ? "." : path;
  std::error_code ignored;
  while (!fs::exists(where, ignored) && where.has_parent_path() && where.parent_path() != where)
    where = where.parent_path();
  if (where.empty()) where = ".";
  struct statvfs info{};
  if (::statvfs(where.c_str(), &info) != 0) return FailErrno(errno, "{}", where.string());
  return Bytes(static_cast<std::int64_t>(info.f_bavail) * static_cast<std::int64_t>(info.f_frsize));
}

Result<> SyncDirectory(const fs::path& directory) {
  TRY_ASSIGN(const Fd fd, Open(directory, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0) return FailErrno(errno, "sync {}", directory.string());
  return {};
}

Result<FileLock> FileLock::Take(const fs::path& path) {
  return Lock(path, LOCK_EX);
}
Result<FileLock> FileLock::Try(const fs::path& path) {
  return Lock(path, LOCK_EX | LOCK_NB);
}

Result<FileLock> FileLock::Lock(const fs::path& path, int operation) {
  TRY_ASSIGN(Fd fd, Open(path, O_RDWR | O_CREAT));
  int done = -1;
  do done = ::flock(fd.get(), operation);
  while (done != 0 && errno == EINTR);
  if (done != 0) return FailErrno(errno == EWOULDBLOCK ? EBUSY : errno, "lock {}", path.string());
  return FileLock(std::move(fd));
}

}  // namespace headroom
