// File descriptors that close themselves, and whole reads and writes on them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace headroom {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) Reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { Reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1);

 private:
  int fd_ = -1;  // -1: none
};

struct Pipe {
  Fd read, write;
};

/// open(2) with O_CLOEXEC. `flags` as for open, `mode` for O_CREAT.
Result<Fd> Open(const std::string& path, int flags, unsigned mode = 0600);
/// Both ends close-on-exec.
Result<Pipe> MakePipe();

/// Everything is written, or an error; EINTR and short writes are handled.
Result<> WriteAll(int fd, std::span<const std::byte> bytes);
Result<> WriteAll(int fd, std::string_view text);
/// One read, EINTR handled; 0 at the end.
Result<std::size_t> ReadSome(int fd, std::span<std::byte> into);
/// Reads until `into` is full or the stream ends; returns how much was read.
Result<std::size_t> ReadFull(int fd, std::span<std::byte> into);
/// pread(2) until `into` is full or the file ends; returns how much was read.
Result<std::size_t> ReadFullAt(int fd, std::span<std::byte> into, std::int64_t offset);

/// A sealed (no write, shrink or grow) memory file holding `bytes`; `name` shows in /proc.
Result<Fd> MakeSealedMemory(const char* name, std::span<const std::byte> bytes);

/// Read-only bytes of a sealed memory file; unmapped by the destructor.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  /// kProtocol unless `fd` carries all three seals and at most `limit` bytes.
  static Result<Mapping> OfSealed(int fd, std::size_t limit);
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace headroom
