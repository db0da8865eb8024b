#include "base/fd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace headroom {

void Fd::Reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Result<Fd> Open(const std::string& path, int flags, unsigned mode) {
  int fd = -1;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return Fail(Errno(errno, path));
  return Fd(fd);
}

Result<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno(errno, "make a pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Result<> WriteAll(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno(errno, "write");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<> WriteAll(int fd, std::string_view text) {
  return WriteAll(fd, std::as_bytes(std::span(text)));
}

Result<std::size_t> ReadSome(int fd, std::span<std::byte> into) {
  while (true) {
    const ssize_t n = ::read(fd, into.data(), into.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno(errno, "read");
    return static_cast<std::size_t>(n);
  }
}

Result<std::size_t> ReadFull(int fd, std::span<std::byte> into) {
  std::size_t have = 0;
  while (have < into.size()) {
    TRY_ASSIGN(const std::size_t n, ReadSome(fd, into.subspan(have)));
    if (n == 0) break;
    have += n;
  }
  return have;
}

Result<std::size_t> ReadFullAt(int fd, std::span<std::byte> into, std::int64_t offset) {
  std::size_t have = 0;
  while (have < into.size()) {
    const ssize_t n = ::pread(fd, into.data() + have, into.size() - have,
                              offset + static_cast<std::int64_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno(errno, "read");
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  return have;
}

namespace {
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
}

Result<Fd> MakeSealedMemory(const char* name, std::span<const std::byte> bytes) {
  Fd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return FailErrno(errno, "make shared memory");
  TRY(WriteAll(fd.get(), bytes));
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals | F_SEAL_SEAL) != 0)
    return FailErrno(errno, "seal shared memory");
  return fd;
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) std::swap(bytes_, other.bytes_);
  return *this;
}

Mapping::~Mapping() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

Result<Mapping> Mapping::OfSealed(int fd, std::size_t limit) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals)
    return Fail(Errc::kProtocol, "shared memory came unsealed");
  struct stat info{};
  if (::fstat(fd, &info) != 0) return FailErrno(errno, "shared memory");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > limit) return Fail(Errc::kProtocol, "shared memory of {} bytes is too large", size);
  Mapping mapping;
  if (size == 0) return mapping;
  void* base = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (base == MAP_FAILED) return FailErrno(errno, "map shared memory");
  mapping.bytes_ = {static_cast<const std::byte*>(base), size};
  return mapping;
}

}  // namespace headroom
