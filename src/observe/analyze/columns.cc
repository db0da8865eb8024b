#include "observe/analyze/columns.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "base/bytes.h"
#include "base/text.h"

namespace headroom::analyze {
namespace {

struct Rule {
  std::string_view words;  // all of them must be in the name
  Metric metric;
  std::string_view owner;
};

// The first that fits wins.
constexpr std::array<Rule, 64> kRules = {{
    {"percent", Metric::kRam, "?"},
    {"%", Metric::kRam, "?"},
    {"pct", Metric::kRam, "?"},
    {"request", Metric::kRam, "?"},
    {"requests", Metric::kRam, "?"},
    {"vram used", Metric::kVramUsed, ""},
    {"memory limit", Metric::kMemoryMax, ""},
    {"mem limit", Metric::kMemoryMax, ""},
    {"vram others", Metric::kVramUsed, "others"},
    {"vram ours", Metric::kVramUsed, "service"},
    {"vram tried", Metric::kVramTried, ""},
    {"vram allocated", Metric::kVramAllocated, ""},
    {"vram reserved", Metric::kVramReserved, ""},
    {"vram total", Metric::kVramTotal, ""},
    {"vram free", Metric::kVramFree, ""},
    {"vram", Metric::kVramUsed, ""},
    {"fb used", Metric::kVramUsed, ""},
    {"fb free", Metric::kVramFree, ""},
    {"fb total", Metric::kVramTotal, ""},
    {"gpu memory total", Metric::kVramTotal, ""},
    {"gpu memory free", Metric::kVramFree, ""},
    {"gpu memory used", Metric::kVramUsed, ""},
    {"gpu mem", Metric::kVramUsed, ""},
    {"gpu memory", Metric::kVramUsed, ""},
    {"used gpu memory", Metric::kVramUsed, ""},
    {"cuda allocated", Metric::kVramAllocated, ""},
    {"cuda reserved", Metric::kVramReserved, ""},
    {"memory swap current", Metric::kSwap, ""},
    {"container memory swap", Metric::kSwap, ""},
    {"memory high", Metric::kMemoryHigh, ""},
    {"memory max", Metric::kMemoryMax, ""},
    {"memory available", Metric::kHostAvailable, ""},
    {"mem available", Metric::kHostAvailable, ""},
    {"ram available", Metric::kHostAvailable, ""},
    {"memavailable", Metric::kHostAvailable, ""},
    {"host total", Metric::kHostTotal, ""},
    {"mem total", Metric::kHostTotal, ""},
    {"memtotal", Metric::kHostTotal, ""},
    {"ram total", Metric::kHostTotal, ""},
    {"node memory", Metric::kHostAvailable, "?"},  // other node_memory_… metrics: not taken
    {"host swap", Metric::kHostSwap, ""},
    {"swap used", Metric::kSwap, ""},
    {"swap", Metric::kSwap, ""},
    {"memory used", Metric::kVramUsed, ""},  // nvidia-smi's memory.used
    {"memory total", Metric::kVramTotal, ""},
    {"memory free", Metric::kVramFree, ""},
    {"memory reserved", Metric::kVramReserved, "?"},
    {"used memory", Metric::kVramUsed, ""},
    {"psi some", Metric::kPsiSome, ""},
    {"psi full", Metric::kPsiFull, ""},
    {"psi", Metric::kPsiFull, ""},
    {"queue", Metric::kQueueSeconds, ""},
    {"temperature", Metric::kTemperature, ""},
    {"utilization gpu", Metric::kBusy, ""},
    {"utilization memory", Metric::kBusy, "?"},
    {"rss", Metric::kRam, ""},
    {"vmrss", Metric::kRam, ""},
    {"pss", Metric::kRam, ""},
    {"working set", Metric::kRam, ""},
    {"resident memory", Metric::kRam, ""},
    {"memory current", Metric::kRam, ""},
    {"ram", Metric::kRam, ""},
    {"memory", Metric::kRam, ""},
    {"mem", Metric::kRam, ""},
}};

std::vector<std::string> Words(std::string_view name) {
  std::vector<std::string> words(1);
  for (const char c : name) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) || c == '%')
      words.back() += static_cast<char>(std::tolower(u));
    else if (!words.back().empty())
      words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

bool HasAll(const std::vector<std::string>& words, std::string_view wanted) {
  for (const std::string& word : Split(wanted, ' ')) {
    if (std::find(words.begin(), words.end(), word) == words.end()) return false;
  }
  return true;
}

}  // namespace

std::optional<double> UnitScale(std::string_view unit) {
  std::string plain;
  for (const char c : unit) {
    if (std::isalpha(static_cast<unsigned char>(c)))
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (plain == "bytes" || plain == "byte") return 1;
  if (plain.empty()) return std::nullopt;
  if (plain == "ki" || plain == "mi" || plain == "gi" || plain == "ti") plain += 'b';  // Kubernetes
  if (plain != "b" && plain.back() != 'b') return std::nullopt;  // "m" may be anything
  const auto bytes = ParseBytes("1" + plain);
  if (!bytes) return std::nullopt;
  return static_cast<double>(bytes->n);
}

double GuessScale(double largest, bool of_process) {
  if (largest > 5e7) return 1;
  if (of_process && largest > 2e4) return 1024;  // ps writes KiB
  return largest > 4e6 ? 1024 : 1048576;
}

std::optional<Column> GuessColumn(std::string_view name) {
  std::vector<std::string> words = Words(name);
  if (words.empty()) return std::nullopt;
  Column column;
  if (words.size() > 1) {
    if (const auto scale = UnitScale(words.back())) {
      column.scale = *scale;
      column.scale_known = true;
      // The kernel and ps write kB and mean KiB.
      if (words.back() == "kb" &&
          (HasAll(words, "rss") || HasAll(words, "vmrss") || HasAll(words, "pss") ||
           words.front().starts_with("vm") || words.front().starts_with("mem")))
        column.scale = 1024;
      words.pop_back();
    }
  }
  if (words.front() == "dcgm" && HasAll(words, "fb"))
    column.scale = 1048576, column.scale_known = true;
  for (const Rule& rule : kRules) {
    if (!HasAll(words, rule.words)) continue;
    if (rule.owner == "?") return std::nullopt;
    column.metric = rule.metric;
    column.owner = rule.owner;
    if (!IsBytes(rule.metric)) column.scale = 1, column.scale_known = true;
    return column;
  }
  return std::nullopt;
}

}  // namespace headroom::analyze
