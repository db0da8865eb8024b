#include "speech/spool/block_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/file.h"

namespace headroom::speech {
namespace {

class PosixFile : public BlockFile {
 public:
  PosixFile(std::string name, Fd fd, std::int64_t size)
      : name_(std::move(name)), fd_(std::move(fd)), size_(size) {}

  std::string name() const override { return name_; }
  std::int64_t size() const override { return size_; }

  Result<> Resize(std::int64_t size) override {
    if (size < size_) {
      if (::ftruncate(fd_.get(), size) != 0) return FailErrno(errno, "shorten {}", name_);
    } else if (const int err = ::posix_fallocate(fd_.get(), 0, size); err != 0) {
      static_cast<void>(::ftruncate(fd_.get(), size_));
      const auto free = FreeSpace(name_);
      if (err == ENOSPC || err == EDQUOT || err == EFBIG)
        return Fail(Errc::kNoSpace, "{}: needs {}, and there is room for {}", name_,
                    FormatBinary(Bytes(size)), free ? FormatBinary(*free) : "less");
      return FailErrno(err, "reserve {} for {}", FormatBinary(Bytes(size)), name_);
    }
    size_ = size;
    return {};
  }

  Result<> Read(std::int64_t offset, std::span<std::byte> into) const override {
    TRY_ASSIGN(const std::size_t read, ReadFullAt(fd_.get(), into, offset));
    if (read != into.size()) return Fail(Errc::kIo, "{}: became shorter", name_);
    return {};
  }

  Result<> Write(std::int64_t offset, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), offset);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return FailErrno(errno, "write {}", name_);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      offset += n;
    }
    return {};
  }

  Result<> Sync() override {
    if (::fdatasync(fd_.get()) != 0) return FailErrno(errno, "sync {}", name_);
    return {};
  }

 private:
  const std::string name_;
  const Fd fd_;
  std::int64_t size_;
};

void SwitchCopyOnWriteOff(int fd) {
  int flags = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return;
  flags |= FS_NOCOW_FL;
  static_cast<void>(::ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

}  // namespace

Result<std::unique_ptr<BlockFile>> OpenBlockFile(const std::filesystem::path& path) {
  TRY_ASSIGN(Fd fd, Open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return FailErrno(errno, "{}", path.string());
  if (!S_ISREG(info.st_mode)) return Fail(Errc::kInvalid, "{}: is not a file", path.string());
  if ((info.st_mode & 0777) != 0600 && ::fchmod(fd.get(), 0600) != 0)
    return FailErrno(errno, "make {} private", path.string());
  if (info.st_size == 0) SwitchCopyOnWriteOff(fd.get());
  return std::make_unique<PosixFile>(path.string(), std::move(fd), info.st_size);
}

}  // namespace headroom::speech
