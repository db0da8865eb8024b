// The tools of the host, as pasted: free, vmstat -t, sar -r, ps aux.
#include <fmt/format.h>

#include <algorithm>

#include "observe/analyze/pasted_parser.h"

namespace headroom::analyze {
namespace {

class Free : public PastedParser {
 public:
  using PastedParser::PastedParser;

 private:
  // The unit of `free` is not in its output: of all that it can be, the one that is a machine's.
  void Row(std::string_view line) override {
    const Words words = WordsOf(line);
    const auto size = [&](std::string_view word) -> std::optional<double> {
      if (const auto with_unit = SizeOf(word)) return with_unit;
      const auto number = NumberOf(word);
      if (!number) return std::nullopt;
      if (scale_ == 0 && words[0] == "Mem:")
        scale_ = *number < 4096  ? 1073741824.0
                 : *number < 3e6 ? 1048576.0
                 : *number < 3e9 ? 1024.0
                                 : 1.0;
      return *number * std::max(scale_, 1.0);
    };
    if (words[0] == "Mem:" && words.size() >= 7) {
      if (const auto total = size(words[1])) Add(Metric::kHostTotal, "", "", *total);
      if (const auto available = size(words[6])) Add(Metric::kHostAvailable, "", "", *available);
    } else if (words[0] == "Swap:" && words.size() >= 3) {
      if (const auto used = size(words[2])) Add(Metric::kHostSwap, "", "", *used);
    }
  }

  double scale_ = 0;
};

class Vmstat : public PastedParser {
 public:
  using PastedParser::PastedParser;

 private:
  void Row(std::string_view line) override {
    const Words words = WordsOf(line);
    if (words[0] == "procs") return;
    if (words[0] == "r") {
      columns_.assign(words.begin(), words.end());
      return;
    }
    double free = 0, buff = 0, cache = 0;
    std::optional<double> swap;
    if (columns_.empty() || words.size() + 1 < columns_.size()) return;
    const std::size_t stamp = columns_.size() - 1;
    for (std::size_t i = 0; i < columns_.size() && i < words.size(); ++i) {
      const auto number = NumberOf(words[i]);
      if (!number) continue;
      if (columns_[i] == "swpd") swap = number;
      if (columns_[i] == "free") free = *number;
      if (columns_[i] == "buff") buff = *number;
      if (columns_[i] == "cache") cache = *number;
    }
    if (words.size() < stamp + 2) {
      evidence_.Note(source_, "has no times; record with vmstat -t");
      return;
    }
    const std::string time = fmt::format("{} {}", words[stamp], words[stamp + 1]);
    if (!Date(time)) return;
    if (columns_.back() == "UTC") source().zone_assumed = false;
    if (swap) Add(Metric::kHostSwap, "", "", *swap * 1024);
    Add(Metric::kHostAvailable, "", "", (free + buff + cache) * 1024);
  }

  std::vector<std::string> columns_;
};

class Sar : public PastedParser {
 public:
  using PastedParser::PastedParser;

 private:
  // "Linux 6.11.0 (host)  11/20/2026 …" has the day; rows have a clock.
  void Row(std::string_view line) override {
    const Words words = WordsOf(line);
    if (line.starts_with("Linux ")) {
      for (const std::string_view word : words)
        if (word.size() >= 8 && (word.find('/') != std::string_view::npos ||
                                 (word[0] == '2' && word.find('-') != std::string_view::npos)))
          day_ = word;
      return;
    }
    if (words[0] == "Average:" || day_.empty()) return;
    const bool halves = words.size() > 1 && (words[1] == "AM" || words[1] == "PM");
    const std::size_t first = halves ? 2 : 1;
    if (line.find("kbmemfree") != std::string_view::npos) {
      columns_.assign(words.begin() + static_cast<std::ptrdiff_t>(first), words.end());
      return;
    }
    if (columns_.empty() || words.size() < first + columns_.size()) return;
    if (!Date(halves ? fmt::format("{} {} {}", day_, words[0], words[1])
                     : fmt::format("{} {}", day_, words[0])))
      return;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const auto number = NumberOf(words[first + i]);
      if (number && columns_[i] == "kbavail") Add(Metric::kHostAvailable, "", "", *number * 1024);
      if (number && columns_[i] == "kbswpused") Add(Metric::kHostSwap, "", "", *number * 1024);
    }
  }

  std::string day_;
  std::vector<std::string> columns_;
};

class Ps : public PastedParser {
 public:
  using PastedParser::PastedParser;

 private:
  void Row(std::string_view line) override {
    const Words words = WordsOf(line);
    if (words[0] == "USER" || words[0] == "PID" || words[0] == "UID") {
      columns_.assign(words.begin(), words.end());
      return;
    }
    if (columns_.empty() || words.size() < columns_.size()) return;
    std::optional<double> rss;
    std::string owner;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i] == "RSS") rss = NumberOf(words[i]);
      if (columns_[i] == "COMMAND" || columns_[i] == "CMD" || columns_[i] == "COMM") {
        owner = FileOf(words[i]);
        if (i + 1 < words.size() && owner.starts_with("python")) owner = FileOf(words[i + 1]);
      }
    }
    if (rss) Add(Metric::kRam, "", owner, *rss * 1024);
  }

  std::vector<std::string> columns_;
};

}  // namespace

std::unique_ptr<Parser> MakePastedHost(Look look, const ReadOptions& options, std::uint32_t source,
                                       Evidence& evidence) {
  switch (look) {
    case Look::kFree:
      return std::make_unique<Free>(look, options, source, evidence);
    case Look::kVmstat:
      return std::make_unique<Vmstat>(look, options, source, evidence);
    case Look::kSar:
      return std::make_unique<Sar>(look, options, source, evidence);
    case Look::kPs:
      return std::make_unique<Ps>(look, options, source, evidence);
    default:
      return nullptr;
  }
}

}  // namespace headroom::analyze
