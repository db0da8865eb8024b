#include "observe/probe/cgroup.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace headroom::probe {
namespace {

constexpr int kDeepest = 64;  // groups on the way to the root that are looked at
enum Own { kSwapCurrent, kSwapMax, kEvents, kPressure };

std::optional<Bytes> Smaller(std::optional<Bytes> a, std::optional<Bytes> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace

std::filesystem::path CgroupMount(const std::filesystem::path& root) {
  std::error_code ignored;
  const auto unified = root / "sys/fs/cgroup/unified";
  return std::filesystem::exists(unified, ignored) ? unified : root / "sys/fs/cgroup";
}

std::optional<std::string> ParseCgroupPath(std::string_view text) {
  std::string_view line;
  while (NextLine(text, line)) {
    if (!line.starts_with("0::/")) continue;
    std::string path(line.substr(3));
    if (path.find('\0') != std::string::npos) return std::nullopt;
    for (const std::string& part : Split(path, '/')) {
      if (part == ".." || part == ".") return std::nullopt;
    }
    return path;
  }
  return std::nullopt;
}

std::optional<MemoryEvents> ParseMemoryEvents(std::string_view text) {
  MemoryEvents events;
  bool any = false;
  std::string_view line;
  while (NextLine(text, line)) {
    const std::string_view key = NextWord(line);
    const auto count = ParseNumber(NextWord(line));
    if (!count) continue;
    any = true;
    if (key == "low")
      events.low = *count;
    else if (key == "high")
      events.high = *count;
    else if (key == "max")
      events.max = *count;
    else if (key == "oom")
      events.oom = *count;
    else if (key == "oom_kill")
      events.oom_kill = *count;
  }
  if (!any) return std::nullopt;
  return events;
}

CgroupReader::CgroupReader(std::filesystem::path root, std::optional<std::string> group)
    : root_(std::move(root)), group_(std::move(group)), self_(root_ / "proc/self/cgroup") {}

void CgroupReader::Follow(std::string path) {
  path_ = std::move(path);
  levels_.clear();
  own_.clear();
  const auto mount = CgroupMount(root_);
  const std::filesystem::path ours = mount / std::string_view(path_).substr(1);
  std::filesystem::path folder = ours;
  for (int depth = 0; depth < kDeepest; ++depth) {
    levels_.push_back({KernelFile(folder / "memory.current"), KernelFile(folder / "memory.high"),
                       KernelFile(folder / "memory.max")});
    if (folder.native().size() <= mount.native().size() + 1) break;
    folder = folder.parent_path();
  }
  for (const char* name :
       {"memory.swap.current", "memory.swap.max", "memory.events", "memory.pressure"})
    own_.emplace_back(ours / name);
}

std::optional<CgroupMemory> CgroupReader::Read() {
  std::array<char, kMostText> buffer;
  auto path = group_;
  if (!path) {
    const auto self = self_.Read(buffer);
    if (self) path = ParseCgroupPath(*self);
  }
  if (!path) return std::nullopt;
  if (levels_.empty() || *path != path_) Follow(std::move(*path));
  const auto bytes = [&](KernelFile& file) -> std::optional<Bytes> {
    const auto text = file.Read(buffer);
    return text ? ParseByteCount(*text) : std::nullopt;  // "max" is no number: no limit
  };

  const auto current = bytes(levels_.front().current);
  if (!current) return std::nullopt;
  CgroupMemory memory;
  memory.path = path_;
  memory.current = *current;
  for (Level& level : levels_) {
    const bool ours = &level == &levels_.front();
    const auto high = bytes(level.high), max = bytes(level.max);
    if (ours) memory.high = high, memory.max = max;
    memory.effective_high = Smaller(memory.effective_high, high);
    memory.effective_max = Smaller(memory.effective_max, max);
    const auto limit = Smaller(high, max);
    const auto used = !limit ? std::nullopt : ours ? current : bytes(level.current);
    if (used) memory.room = Smaller(memory.room, std::max(Bytes(0), *limit - *used));
  }
  memory.swap_current = bytes(own_[kSwapCurrent]);
  memory.swap_max = bytes(own_[kSwapMax]);
  if (const auto text = own_[kEvents].Read(buffer)) memory.events = ParseMemoryEvents(*text);
  if (const auto text = own_[kPressure].Read(buffer)) memory.pressure = ParsePressure(*text);
  return memory;
}

}  // namespace headroom::probe
