#include "models/formats/import_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

namespace headroom::models {
namespace {
constexpr std::int64_t kBuffer = 64 * 1024;
}

std::unexpected<Error> Cut(std::int64_t there, std::uint64_t should, bool at_least) {
  return Fail(Errc::kCorrupt, "the file is cut: {} bytes are there, {}{} should be", there,
              at_least ? "at least " : "", should);
}

Result<> ByteSource::ReadAt(std::int64_t offset, std::span<std::byte> into) const {
  const std::uint64_t end = static_cast<std::uint64_t>(offset) + into.size();
  if (offset < 0 || end > static_cast<std::uint64_t>(size())) return Cut(size(), end, true);
  TRY_ASSIGN(const std::size_t got, Read(offset, into));
  if (got != into.size()) return Cut(offset + static_cast<std::int64_t>(got), end, true);
  return {};
}

Result<FileSource> FileSource::Open(const std::filesystem::path& path) {
  // Non-blocking, so that a FIFO in place of a model does not hang us.
  auto fd = headroom::Open(path.native(), O_RDONLY | O_NONBLOCK);
  if (!fd) return Fail(std::move(fd.error()));
  struct stat status{};
  if (::fstat(fd->get(), &status) != 0) return FailErrno(errno, "{}", path.native());
  if (!S_ISREG(status.st_mode)) return Fail(Errc::kInvalid, "{}: not a file", path.native());
  ::posix_fadvise(fd->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  return FileSource(std::move(*fd), status.st_size);
}

Result<std::size_t> FileSource::Read(std::int64_t offset, std::span<std::byte> into) const {
  return ReadFullAt(fd_.get(), into, offset);
}

Result<std::size_t> MemorySource::Read(std::int64_t offset, std::span<std::byte> into) const {
  std::ranges::copy(bytes_.subspan(static_cast<std::size_t>(offset), into.size()), into.begin());
  return into.size();
}

Result<> Reader::Need(std::uint64_t bytes) const {
  if (bytes > std::uint64_t{1} << 48)
    return Fail(Errc::kCorrupt, "it claims a piece of {} bytes; {} are there in all", bytes,
                source_.size());
  if (bytes > static_cast<std::uint64_t>(left()))
    return Cut(source_.size(), static_cast<std::uint64_t>(offset_) + bytes, true);
  return {};
}

Result<> Reader::Take(std::span<std::byte> into) {
  TRY(Need(into.size()));
  while (!into.empty()) {
    const std::int64_t at = offset_ - buffer_at_;
    if (at < 0 || at >= static_cast<std::int64_t>(buffer_.size())) {
      buffer_.resize(static_cast<std::size_t>(std::min(kBuffer, left())));
      buffer_at_ = offset_;
      TRY(source_.ReadAt(offset_, buffer_));
      continue;
    }
    const std::span<const std::byte> rest =
        std::span(buffer_).subspan(static_cast<std::size_t>(at));
    const std::size_t n = std::min(rest.size(), into.size());
    std::ranges::copy(rest.first(n), into.begin());
    into = into.subspan(n);
    offset_ += static_cast<std::int64_t>(n);
  }
  return {};
}

Result<> Reader::Skip(std::uint64_t bytes) {
  TRY(Need(bytes));
  offset_ += static_cast<std::int64_t>(bytes);
  return {};
}

Result<std::string> Reader::Text(std::uint64_t length, std::uint64_t limit, const char* what) {
  if (length > limit)
    return Fail(Errc::kCorrupt, "{} of {} bytes (at most {} make sense)", what, length, limit);
  TRY(Need(length));
  std::string text(static_cast<std::size_t>(length), '\0');
  TRY(Take(std::as_writable_bytes(std::span(text))));
  return text;
}

}  // namespace headroom::models
