// The decoder's input: one descriptor, as FFmpeg's AVIOContext. A regular file is read with pread
// and can seek; anything else is read once, front to back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"

struct AVIOContext;

namespace headroom::audio {

class DecodeInput {
 public:
  /// Looks at the descriptor; call before the sandbox forbids it.
  static Result<std::unique_ptr<DecodeInput>> Make(int fd);
  ~DecodeInput();
  DecodeInput(const DecodeInput&) = delete;
  DecodeInput& operator=(const DecodeInput&) = delete;

  AVIOContext* avio() { return avio_; }
  bool seekable() const { return size_.has_value(); }

  /// FFmpeg wanted to go back in something that cannot.
  bool refused_to_seek() const { return refused_to_seek_; }
  /// errno of a read that failed, else 0.
  int read_error() const { return read_error_; }
  bool empty() const { return !any_bytes_; }

  /// Where the input ends: its size, or for a stream what has come so far.
  std::int64_t end() const { return size_.value_or(at_); }
  /// Some bytes at `offset`; fewer at the end, none after an error. Of a stream only the first
  /// kHead can be had again.
  std::size_t ReadAt(std::int64_t offset, std::span<std::uint8_t> into);
  /// The last bytes, at most kTail: of the file, or of what came so far.
  std::vector<std::uint8_t> Tail();
  static constexpr std::size_t kHead = 64 << 10, kTail = 128 << 10;

 private:
  DecodeInput(int fd, std::int64_t base, std::optional<std::int64_t> size);
  static int OnRead(void* self, std::uint8_t* into, int size);
  static std::int64_t OnSeek(void* self, std::int64_t offset, int whence);
  void Remember(std::span<const std::uint8_t> bytes);

  int fd_;  // not owned
  // A shell may hand over standard input that is not at its start: that is our offset 0.
  std::int64_t base_;
  std::optional<std::int64_t> size_;  // nullopt: a stream
  std::int64_t at_ = 0;
  bool any_bytes_ = false;
  bool refused_to_seek_ = false;
  int read_error_ = 0;
  std::vector<std::uint8_t> head_, tail_;  // of a stream; the tail is up to twice kTail
  AVIOContext* avio_ = nullptr;
};

}  // namespace headroom::audio
