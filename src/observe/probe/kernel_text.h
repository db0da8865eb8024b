// Reading the small text files of /proc, /sys and cgroupfs: numbers that are bounds-checked, lines,
// and files that stay open between samples. Nothing here fails loudly: what cannot be read or
// understood is absent, since a probe that stops because one line changed is useless.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/fd.h"

namespace headroom::probe {

/// No machine has more (4 PiB); a larger number is garbage and is treated as absent. So a thousand
/// of them can be added without overflow.
inline constexpr Bytes kMostBytes{std::int64_t{1} << 52};
/// No file read here is longer; what is beyond is not looked at.
inline constexpr std::size_t kMostText = 16u << 10;

/// Decimal digits and nothing else, at most 2^62.
std::optional<std::int64_t> ParseNumber(std::string_view text);
/// "0x1002" as sysfs writes ids; at most 32 bits.
std::optional<std::uint32_t> ParseHex(std::string_view text);
/// Decimal bytes, at most kMostBytes.
std::optional<Bytes> ParseByteCount(std::string_view text);
/// "1234 kB" or "1234 KiB", "12 MiB", "1234" (bytes): the forms of meminfo and fdinfo.
std::optional<Bytes> ParseSized(std::string_view text);
/// "12.34", not negative, at most `most`.
std::optional<double> ParseFraction(std::string_view text, double most);

/// Takes the next line from the front of `rest`; false when nothing is left.
bool NextLine(std::string_view& rest, std::string_view& line);
/// "Key:   value" to (key, value trimmed); nullopt without a colon.
std::optional<std::pair<std::string_view, std::string_view>> KeyAndValue(std::string_view line);
/// Takes the next blank-separated word from the front of `rest`; empty when nothing is left.
std::string_view NextWord(std::string_view& rest);

/// The first kMostText bytes of a file, nullopt when it cannot be read. One open, one or two reads.
std::optional<std::string> ReadText(const std::filesystem::path& path);

/// A file that is read again and again: opened once, then pread, which is about half the cost.
/// When reading fails (its cgroup was removed, its process ended) it is reopened once, unless
/// `reopen` is false: an open file of /proc/<pid> stays with its process, a path may be reused.
class KernelFile {
 public:
  explicit KernelFile(std::filesystem::path path, bool reopen = true)
      : path_(std::move(path)), reopen_(reopen) {}

  /// Valid until the next Read of any KernelFile that shares `buffer`.
  std::optional<std::string_view> Read(std::span<char> buffer);

 private:
  std::filesystem::path path_;
  bool reopen_;
  bool opened_ = false;
  Fd fd_;
};

}  // namespace headroom::probe
