#include "observe/probe/kernel_text.h"

#include <fcntl.h>

#include <charconv>

#include "base/text.h"

namespace headroom::probe {
namespace {

std::optional<std::string_view> ReadAt(int fd, std::span<char> buffer) {
  const auto n = ReadFullAt(fd, std::as_writable_bytes(buffer), 0);
  if (!n) return std::nullopt;
  return std::string_view(buffer.data(), *n);
}

}  // namespace

std::optional<std::int64_t> ParseNumber(std::string_view text) {
  std::int64_t value = 0;
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value > std::int64_t{1} << 62) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> ParseHex(std::string_view text) {
  text = Trim(text);
  if (!text.starts_with("0x") || text.size() == 2) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Bytes> ParseByteCount(std::string_view text) {
  const auto number = ParseNumber(Trim(text));
  if (!number || *number > kMostBytes.n) return std::nullopt;
  return Bytes(*number);
}

std::optional<Bytes> ParseSized(std::string_view text) {
  const auto number = ParseNumber(NextWord(text));
  const std::string_view unit = NextWord(text);
  if (!number || !NextWord(text).empty()) return std::nullopt;
  int shift = 0;
  if (unit == "kB" || unit == "KiB")
    shift = 10;
  else if (unit == "MiB")
    shift = 20;
  else if (unit == "GiB")
    shift = 30;
  else if (!unit.empty())
    return std::nullopt;
  if (*number > kMostBytes.n >> shift) return std::nullopt;
  return Bytes(*number << shift);
}

std::optional<double> ParseFraction(std::string_view text, double most) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(value >= 0 && value <= most)) return std::nullopt;  // also NaN
  return value;
}

bool NextLine(std::string_view& rest, std::string_view& line) {
  if (rest.empty()) return false;
  const std::size_t end = rest.find('\n');
  line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return true;
}

std::optional<std::pair<std::string_view, std::string_view>> KeyAndValue(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return std::pair(line.substr(0, colon), Trim(line.substr(colon + 1)));
}

std::string_view NextWord(std::string_view& rest) {
  const std::size_t start = rest.find_first_not_of(" \t");
  if (start == std::string_view::npos) return rest = {};
  const std::size_t end = rest.find_first_of(" \t", start);
  const std::string_view word = rest.substr(start, end - start);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end);
  return word;
}

std::optional<std::string> ReadText(const std::filesystem::path& path) {
  const auto fd = Open(path, O_RDONLY | O_NONBLOCK);
  if (!fd) return std::nullopt;
  std::string text(kMostText, '\0');
  const auto n = ReadFull(fd->get(), std::as_writable_bytes(std::span(text)));
  if (!n) return std::nullopt;
  text.resize(*n);
  return text;
}

std::optional<std::string_view> KernelFile::Read(std::span<char> buffer) {
  if (fd_) {
    if (const auto text = ReadAt(fd_.get(), buffer)) return text;
    fd_.Reset();
  }
  if (opened_ && !reopen_) return std::nullopt;
  auto fd = Open(path_, O_RDONLY | O_NONBLOCK);
  if (!fd) return std::nullopt;
  opened_ = true;
  fd_ = std::move(*fd);
  return ReadAt(fd_.get(), buffer);
}

}  // namespace headroom::probe
