#include "observe/probe/run_delay.h"

#include <charconv>
#include <string>

#include "base/bytes.h"
#include "base/file.h"

namespace headroom::probe {

std::optional<std::chrono::nanoseconds> ParseRunDelay(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  std::int64_t delay = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + space + 1, end, delay);
  if (error != std::errc() || delay < 0 || rest == end || *rest != ' ') return std::nullopt;
  return std::chrono::nanoseconds(delay);
}

Milliseconds RunDelay(pid_t pid, const std::filesystem::path& root) {
  std::chrono::nanoseconds sum{0};
  std::error_code none;
  const auto threads = root / "proc" / std::to_string(pid) / "task";
  for (auto it = std::filesystem::directory_iterator(threads, none);
       !none && it != std::filesystem::directory_iterator(); it.increment(none)) {
    const auto text = ReadFile(it->path() / "schedstat", KiB(1));
    if (text) sum += ParseRunDelay(*text).value_or(std::chrono::nanoseconds(0));
  }
  return std::chrono::duration_cast<Milliseconds>(sum);
}

}  // namespace headroom::probe
