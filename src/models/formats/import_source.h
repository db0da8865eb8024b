// Bytes at an offset, from a file or from memory, and a cursor over them that cannot leave them.
// All model formats here are little-endian; so are the machines this is built for.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace headroom::models {

static_assert(std::endian::native == std::endian::little);

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::int64_t size() const = 0;
  /// Fills `into`. kCorrupt, with both sizes, when the bytes end before that.
  Result<> ReadAt(std::int64_t offset, std::span<std::byte> into) const;

 protected:
  virtual Result<std::size_t> Read(std::int64_t offset, std::span<std::byte> into) const = 0;
};

class FileSource : public ByteSource {
 public:
  /// kInvalid for anything but a regular file.
  static Result<FileSource> Open(const std::filesystem::path& path);
  std::int64_t size() const override { return size_; }
  int fd() const { return fd_.get(); }

 private:
  FileSource(Fd fd, std::int64_t size) : fd_(std::move(fd)), size_(size) {}
  Result<std::size_t> Read(std::int64_t offset, std::span<std::byte> into) const override;
  Fd fd_;
  std::int64_t size_;
};

class MemorySource : public ByteSource {
 public:
  /// `bytes` must outlive this.
  explicit MemorySource(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(bytes_.size()); }

 private:
  Result<std::size_t> Read(std::int64_t offset, std::span<std::byte> into) const override;
  std::span<const std::byte> bytes_;
};

/// Reads forward through a ByteSource, 64 KiB at a time.
class Reader {
 public:
  explicit Reader(const ByteSource& source) : source_(source) {}

  std::int64_t offset() const { return offset_; }
  std::int64_t left() const { return source_.size() - offset_; }

  template <class T>
    requires std::is_arithmetic_v<T>
  Result<T> Number() {
    std::byte raw[sizeof(T)];
    TRY(Take(raw));
    T value;
    std::memcpy(&value, raw, sizeof(T));
    return value;
  }
  /// `length` bytes; kCorrupt above `limit`, before anything is allocated.
  Result<std::string> Text(std::uint64_t length, std::uint64_t limit, const char* what);
  Result<> Take(std::span<std::byte> into);
  Result<> Skip(std::uint64_t bytes);

 private:
  Result<> Need(std::uint64_t bytes) const;

  const ByteSource& source_;
  std::int64_t offset_ = 0;
  std::vector<std::byte> buffer_;
  std::int64_t buffer_at_ = 0;  // offset of buffer_[0]
};

/// kCorrupt: "the file is cut: 10 bytes are there, 20 should be".
std::unexpected<Error> Cut(std::int64_t there, std::uint64_t should, bool at_least = false);

}  // namespace headroom::models
