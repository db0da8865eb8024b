#include "observe/watch/processes.h"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "observe/probe/kernel_text.h"

namespace headroom::watch {

namespace fs = std::filesystem;

std::optional<Process> ParseStat(std::string_view text) {
  // The name stands in parentheses and may hold anything, parentheses and blanks too.
  const auto open = text.find('('), close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return std::nullopt;
  const auto pid = probe::ParseNumber(Trim(text.substr(0, open)));
  std::string_view rest = text.substr(close + 1);
  const std::string_view state = probe::NextWord(rest);
  const auto parent = probe::ParseNumber(probe::NextWord(rest));
  if (!pid || !parent || *pid <= 0 || *pid > INT32_MAX || *parent > INT32_MAX) return std::nullopt;
  if (state == "Z" || state == "X") return std::nullopt;
  std::string_view word;
  for (int field = 5; field <= 22; ++field) word = probe::NextWord(rest);
  const auto started = probe::ParseNumber(word);
  probe::NextWord(rest);  // vsize
  const auto pages = probe::ParseNumber(probe::NextWord(rest));
  if (!started || !pages || *pages > probe::kMostBytes.n / 4096) return std::nullopt;
  Process process;
  process.pid = static_cast<pid_t>(*pid), process.parent = static_cast<pid_t>(*parent);
  process.started = static_cast<std::uint64_t>(*started);
  process.name = Printable(text.substr(open + 1, close - open - 1)).substr(0, 64);
  process.rss = Bytes(*pages * ::sysconf(_SC_PAGESIZE));
  return process;
}

std::optional<Process> ReadProcess(const fs::path& root, pid_t pid) {
  const auto text = probe::ReadText(root / "proc" / std::to_string(pid) / "stat");
  return text ? ParseStat(*text) : std::nullopt;
}

std::vector<Process> AllProcesses(const fs::path& root) {
  std::vector<Process> all;
  std::error_code failed;
  for (fs::directory_iterator entry(root / "proc", failed), end; !failed && entry != end;
       entry.increment(failed)) {
    const auto pid = probe::ParseNumber(entry->path().filename().native());
    if (!pid || *pid > INT32_MAX) continue;
    if (auto process = ReadProcess(root, static_cast<pid_t>(*pid)))
      all.push_back(std::move(*process));
  }
  std::ranges::sort(all, {}, &Process::pid);
  return all;
}

std::vector<std::string> CommandLine(const fs::path& root, pid_t pid) {
  const auto text = probe::ReadText(root / "proc" / std::to_string(pid) / "cmdline");
  if (!text || text->empty()) return {};
  std::vector<std::string> words = Split(*text, '\0');
  if (!words.empty() && words.back().empty()) words.pop_back();
  return words;
}

std::vector<Process> WithChildren(std::span<const pid_t> roots, std::span<const Process> all) {
  std::set<pid_t> in(roots.begin(), roots.end());
  // A child's pid may be smaller than its parent's (pids wrap), so until nothing is added.
  for (bool more = true; more;) {
    more = false;
    for (const Process& process : all)
      more = (in.contains(process.parent) && in.insert(process.pid).second) || more;
  }
  std::vector<Process> result;
  for (const Process& process : all) {
    if (in.contains(process.pid)) result.push_back(process);
  }
  return result;
}

}  // namespace headroom::watch
