#include "audio/decode/decode_input.h"

extern "C" {
#include <libavformat/avio.h>
#include <libavutil/error.h>
#include <libavutil/mem.h>
}
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/check.h"
#include "base/fd.h"

namespace headroom::audio {
namespace {
constexpr int kBuffer = 64 << 10;
}

Result<std::unique_ptr<DecodeInput>> DecodeInput::Make(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return FailErrno(errno, "look at the input");
  const std::int64_t base = S_ISREG(info.st_mode) ? ::lseek(fd, 0, SEEK_CUR) : -1;
  std::optional<std::int64_t> size;
  if (base >= 0) size = std::max<std::int64_t>(0, info.st_size - base);
  return std::unique_ptr<DecodeInput>(new DecodeInput(fd, std::max<std::int64_t>(0, base), size));
}

DecodeInput::DecodeInput(int fd, std::int64_t base, std::optional<std::int64_t> size)
    : fd_(fd), base_(base), size_(size) {
  auto* buffer = static_cast<unsigned char*>(::av_malloc(kBuffer));
  avio_ = ::avio_alloc_context(buffer, kBuffer, /*write_flag=*/0, this, OnRead, nullptr, OnSeek);
  CHECK(buffer && avio_);
  avio_->seekable = size_ ? AVIO_SEEKABLE_NORMAL : 0;
}

DecodeInput::~DecodeInput() {
  ::av_freep(&avio_->buffer);
  ::avio_context_free(&avio_);
}

int DecodeInput::OnRead(void* opaque, std::uint8_t* into, int size) {
  auto* self = static_cast<DecodeInput*>(opaque);
  while (true) {
    const auto wanted = static_cast<std::size_t>(size);
    const ssize_t n = self->size_ ? ::pread(self->fd_, into, wanted, self->base_ + self->at_)
                                  : ::read(self->fd_, into, wanted);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      self->read_error_ = errno;
      return AVERROR(errno);
    }
    if (n == 0) return AVERROR_EOF;
    self->at_ += n;
    self->any_bytes_ = true;
    if (!self->size_) self->Remember({into, static_cast<std::size_t>(n)});
    return static_cast<int>(n);
  }
}

std::int64_t DecodeInput::OnSeek(void* opaque, std::int64_t offset, int whence) {
  auto* self = static_cast<DecodeInput*>(opaque);
  if (whence & AVSEEK_SIZE) return self->size_ ? *self->size_ : AVERROR(ENOSYS);
  if (!self->size_) {
    self->refused_to_seek_ = true;
    return AVERROR(EPIPE);
  }
  whence &= ~AVSEEK_FORCE;
  if (whence == SEEK_CUR) offset += self->at_;
  if (whence == SEEK_END) offset += *self->size_;
  if (offset < 0) return AVERROR(EINVAL);
  return self->at_ = offset;
}

void DecodeInput::Remember(std::span<const std::uint8_t> bytes) {
  const std::size_t more = std::min(kHead - head_.size(), bytes.size());
  head_.insert(head_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(more));
  tail_.insert(tail_.end(), bytes.begin(), bytes.end());
  if (tail_.size() > 2 * kTail) tail_.erase(tail_.begin(), tail_.end() - kTail);
}

std::size_t DecodeInput::ReadAt(std::int64_t offset, std::span<std::uint8_t> into) {
  if (offset < 0) return 0;
  if (!size_) {
    const std::size_t from = std::min(static_cast<std::size_t>(offset), head_.size());
    const std::size_t n = std::min(head_.size() - from, into.size());
    std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(from), n, into.begin());
    return n;
  }
  return ReadFullAt(fd_, std::as_writable_bytes(into), base_ + offset).value_or(0);
}

std::vector<std::uint8_t> DecodeInput::Tail() {
  if (!size_) {
    const std::size_t extra = tail_.size() > kTail ? tail_.size() - kTail : 0;
    return {tail_.begin() + static_cast<std::ptrdiff_t>(extra), tail_.end()};
  }
  const std::int64_t start = std::max<std::int64_t>(0, *size_ - static_cast<std::int64_t>(kTail));
  std::vector<std::uint8_t> tail(static_cast<std::size_t>(*size_ - start));
  tail.resize(ReadAt(start, tail));
  return tail;
}

}  // namespace headroom::audio
