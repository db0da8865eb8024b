// What people paste from a terminal: the table of nvidia-smi, nvidia-smi -q, rocm-smi, free, vmstat
// -t, sar -r, ps aux, kubectl top, docker stats, and an exporter's text (Prometheus, DCGM). A line
// that is a date (`date` in a loop) says when; without one it is the file's time.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <map>
#include <vector>

#include "base/bytes.h"
#include "base/text.h"
#include "observe/analyze/columns.h"
#include "observe/analyze/parser.h"
#include "observe/analyze/pasted.h"

namespace headroom::analyze {
namespace {

using Words = std::vector<std::string_view>;

Words WordsOf(std::string_view line) {
  Words words;
  while (true) {
    const std::size_t start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos) return words;
    const std::size_t end = line.find_first_of(" \t", start);
    words.push_back(line.substr(start, end == std::string_view::npos ? end : end - start));
    if (end == std::string_view::npos) return words;
    line.remove_prefix(end);
  }
}

std::optional<double> Number(std::string_view text) {
  double value = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (err != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "23344MiB", "145Mi", "1.944GiB", "512kB"; nullopt without a unit.
std::optional<double> Size(std::string_view text) {
  const std::size_t unit = text.find_first_not_of("0123456789.");
  if (unit == 0 || unit == std::string_view::npos) return std::nullopt;
  const auto number = Number(text.substr(0, unit));
  const auto scale = UnitScale(text.substr(unit));
  if (!number || !scale) return std::nullopt;
  return *number * *scale;
}

std::string_view Base(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos || slash + 1 == path.size() ? path
                                                                     : path.substr(slash + 1);
}

class Pasted : public LineParser {
 public:
  Pasted(Look look, const ReadOptions& options, std::uint32_t source, Evidence& evidence)
      : LineParser(options, source, evidence), look_(look) {}

 private:
  void Line(std::string_view line) override {
    const std::string_view text = Trim(line);
    if (text.empty()) return;
    if (Date(text)) return;
    const Words words = WordsOf(text);
    switch (look_) {
      case Look::kSmiTable:
        return SmiTable(text);
      case Look::kSmiQuery:
        return SmiQuery(line);
      case Look::kRocmSmi:
        return RocmSmi(text);
      case Look::kFree:
        return Free(words);
      case Look::kVmstat:
        return Vmstat(words);
      case Look::kSar:
        return Sar(text, words);
      case Look::kPs:
        return Ps(words);
      case Look::kKubectlTop:
        return KubectlTop(words);
      case Look::kDockerStats:
        return DockerStats(words);
      case Look::kExporter:
        return Exporter(text);
      case Look::kNothing:
      case Look::kSmaps:
        return;
    }
  }

  // "Tue Apr 26 15:29:49 2022", also behind "Timestamp   : "
  bool Date(std::string_view text) {
    if (text.starts_with("Timestamp")) {
      const std::size_t colon = text.find(": ");
      if (colon == std::string_view::npos) return false;
      text = Trim(text.substr(colon + 2));
    }
    const auto time = ParseTime(text, options_.zone, options_.reference);
    if (!time || time->length < 10) return false;
    if (time->length < text.size() && text.size() - time->length > 6) return false;
    if (text.find(':') == std::string_view::npos) return false;
    at_ = time->at;
    dated_ = true;
    if (!time->zone_named) source().zone_assumed = true;
    return true;
  }

  void Add(Metric metric, std::string_view device, std::string_view owner, double value) {
    if (!at_) {
      at_ = options_.reference;
      if (!at_) {
        evidence_.Note(source_, "says no time, and the file has none; see docs/report.md");
        return;
      }
    }
    if (!dated_) evidence_.Note(source_, "its readings are taken as of the file's time");
    Sample(metric, device, owner, *at_, value);
  }

  // |   0  NVIDIA GeForce RTX 3090        On  |   00000000:0F:00.0  On |
  // | 30%   42C    P8             14W /  350W |   23344MiB /  24576MiB |
  // |    0   N/A  N/A     20011      C   python3              22990MiB |
  void SmiTable(std::string_view text) {
    if (!text.starts_with("|")) return;
    if (text.find("Processes:") != std::string_view::npos) {
      processes_ = true;
      pids_.clear();
      return;
    }
    if (text.find("NVIDIA-SMI") != std::string_view::npos) processes_ = false;
    Words words;
    for (const std::string_view word : WordsOf(text))
      if (word != "|") words.push_back(word);
    if (words.empty()) return;
    if (processes_) {
      const auto size = Size(words.back());
      if (!size || words.size() < 4 || !Number(words[0])) return;
      const std::string_view name = words[words.size() - 2];
      std::string_view pid;
      for (std::size_t i = 1; i + 2 < words.size(); ++i)
        if (Number(words[i])) pid = words[i];
      std::string owner(Base(name));
      const auto [known, fresh] = pids_.try_emplace(owner, pid);
      if (!fresh && known->second != pid) owner += fmt::format(" ({})", pid);
      Add(Metric::kVramUsed, fmt::format("GPU {}", words[0]), owner, *size);
      return;
    }
    const std::size_t slash = text.find("MiB /");
    if (slash == std::string_view::npos) {
      if (Number(words[0]) && text.find(':') != std::string_view::npos)
        device_ = fmt::format("GPU {}", words[0]);
      return;
    }
    for (std::size_t i = 0; i + 2 < words.size(); ++i) {
      if (words[i + 1] != "/") continue;
      const auto used = Size(words[i]), total = Size(words[i + 2]);
      if (!used || !total || device_.empty()) continue;
      Add(Metric::kVramUsed, device_, "", *used);
      Add(Metric::kVramTotal, device_, "", *total);
    }
    for (const std::string_view word : words) {
      if (word.size() > 1 && word.back() == 'C') {
        if (const auto degrees = Number(word.substr(0, word.size() - 1));
            degrees && !device_.empty())
          Add(Metric::kTemperature, device_, "", *degrees);
      }
    }
  }

  void SmiQuery(std::string_view line) {
    const std::string_view text = Trim(line);
    if (line.starts_with("GPU ") || line.starts_with("GPU\t")) {
      device_ = fmt::format("GPU {}", devices_++);
      section_.clear();
      return;
    }
    const std::size_t colon = text.find(" : ");
    if (colon == std::string_view::npos) {
      section_ = text;
      return;
    }
    const std::string_view key = Trim(text.substr(0, colon)), value = Trim(text.substr(colon + 3));
    if (key == "Name") process_ = Base(value);
    const std::size_t space = value.find(' ');
    const auto number = Number(value.substr(0, space));
    const auto unit =
        space == std::string_view::npos ? std::nullopt : UnitScale(value.substr(space + 1));
    if (!number || !unit || device_.empty()) return;
    if (key == "Used GPU Memory") {
      Add(Metric::kVramUsed, device_, process_, *number * *unit);
    } else if (section_ == "FB Memory Usage") {
      if (key == "Used") Add(Metric::kVramUsed, device_, "", *number * *unit);
      if (key == "Total") Add(Metric::kVramTotal, device_, "", *number * *unit);
    }
  }

  // GPU[0]          : VRAM Total Used Memory (B): 16988143616
  void RocmSmi(std::string_view text) {
    if (!text.starts_with("GPU[")) return;
    const std::size_t close = text.find(']');
    const std::size_t colon = text.rfind(": ");
    if (close == std::string_view::npos || colon == std::string_view::npos) return;
    const std::string device = fmt::format("GPU {}", text.substr(4, close - 4));
    const auto value = Number(Trim(text.substr(colon + 2)));
    if (!value || text.find("VRAM Total") == std::string_view::npos ||
        text.find("(B)") == std::string_view::npos)
      return;
    const bool used = text.find("Used") != std::string_view::npos;
    Add(used ? Metric::kVramUsed : Metric::kVramTotal, device, "", *value);
  }

  // The unit of `free` is not in its output: of all that it can be, the one that is a machine's.
  void Free(const Words& words) {
    const auto size = [&](std::string_view word) -> std::optional<double> {
      if (const auto with_unit = Size(word)) return with_unit;
      const auto number = Number(word);
      if (!number) return std::nullopt;
      if (free_scale_ == 0 && words[0] == "Mem:")
        free_scale_ = *number < 4096  ? 1073741824.0
                      : *number < 3e6 ? 1048576.0
                      : *number < 3e9 ? 1024.0
                                      : 1.0;
      return *number * std::max(free_scale_, 1.0);
    };
    if (words[0] == "Mem:" && words.size() >= 7) {
      if (const auto total = size(words[1])) Add(Metric::kHostTotal, "", "", *total);
      if (const auto available = size(words[6])) Add(Metric::kHostAvailable, "", "", *available);
    } else if (words[0] == "Swap:" && words.size() >= 3) {
      if (const auto used = size(words[2])) Add(Metric::kHostSwap, "", "", *used);
    }
  }

  void Vmstat(const Words& words) {
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
      const auto number = Number(words[i]);
      if (!number) continue;
      if (columns_[i] == "swpd") swap = *number;
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

  // "Linux 6.11.0 (host)  11/20/2026 …" has the day; rows have a clock.
  void Sar(std::string_view text, const Words& words) {
    if (text.starts_with("Linux ")) {
      for (const std::string_view word : words)
        if (word.size() >= 8 && (word.find('/') != std::string_view::npos ||
                                 (word[0] == '2' && word.find('-') != std::string_view::npos)))
          day_ = word;
      return;
    }
    if (words[0] == "Average:" || day_.empty()) return;
    const bool halves = words.size() > 1 && (words[1] == "AM" || words[1] == "PM");
    const std::size_t first = halves ? 2 : 1;
    if (text.find("kbmemfree") != std::string_view::npos) {
      columns_.assign(words.begin() + static_cast<std::ptrdiff_t>(first), words.end());
      return;
    }
    if (columns_.empty() || words.size() < first + columns_.size()) return;
    if (!Date(halves ? fmt::format("{} {} {}", day_, words[0], words[1])
                     : fmt::format("{} {}", day_, words[0])))
      return;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const auto number = Number(words[first + i]);
      if (number && columns_[i] == "kbavail") Add(Metric::kHostAvailable, "", "", *number * 1024);
      if (number && columns_[i] == "kbswpused") Add(Metric::kHostSwap, "", "", *number * 1024);
    }
  }

  void Ps(const Words& words) {
    if (words[0] == "USER" || words[0] == "PID" || words[0] == "UID") {
      columns_.assign(words.begin(), words.end());
      return;
    }
    if (columns_.empty() || words.size() < columns_.size()) return;
    std::optional<double> rss;
    std::string owner;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i] == "RSS") rss = Number(words[i]);
      if (columns_[i] == "COMMAND" || columns_[i] == "CMD" || columns_[i] == "COMM") {
        owner = Base(words[i]);
        if (i + 1 < words.size() && owner.starts_with("python")) owner = Base(words[i + 1]);
      }
    }
    if (rss) Add(Metric::kRam, "", owner, *rss * 1024);
  }

  void KubectlTop(const Words& words) {
    if (words.size() < 3 || words[0] == "NAME" || words[0] == "POD" || words[0] == "#") return;
    const auto size = Size(words.back());
    const std::string_view cpu = words[words.size() - 2];
    if (!size || !(cpu.ends_with("m") || Number(cpu))) return;
    std::string owner(words[0]);
    for (std::size_t i = 1; i + 2 < words.size(); ++i) owner += fmt::format("/{}", words[i]);
    Add(Metric::kRam, "", owner, *size);
  }

  // CONTAINER ID   NAME   CPU %   MEM USAGE / LIMIT   MEM %
  void DockerStats(const Words& words) {
    if (words[0] == "CONTAINER" || words[0] == "NAME") {
      named_ = words.size() > 1 && words[1] == "ID";
      return;
    }
    for (std::size_t i = 1; i + 1 < words.size(); ++i) {
      if (words[i] != "/") continue;
      const auto used = Size(words[i - 1]), limit = Size(words[i + 1]);
      if (!used || !limit) return;
      const std::string_view owner = named_ && words.size() > 1 ? words[1] : words[0];
      Add(Metric::kRam, "", owner, *used);
      Add(Metric::kMemoryMax, "", owner, *limit);
      return;
    }
  }

  // DCGM_FI_DEV_FB_USED{gpu="0",…} 23716 [time in ms]
  void Exporter(std::string_view text) {
    if (text.starts_with("#")) return;
    const std::size_t brace = text.find('{'), space = text.find_first_of(" {");
    const std::string_view name = text.substr(0, space);
    std::string_view rest = text.substr(std::min(space, text.size()));
    std::map<std::string, std::string, std::less<>> labels;
    if (brace != std::string_view::npos && brace == space) {
      const std::size_t close = text.rfind('}');
      if (close == std::string_view::npos) return;
      for (const std::string& label : Split(text.substr(brace + 1, close - brace - 1), ',')) {
        const std::size_t equals = label.find("=\"");
        if (equals != std::string::npos)
          labels[std::string(Trim(label.substr(0, equals)))] =
              label.substr(equals + 2, label.size() - equals - 3);
      }
      rest = text.substr(close + 1);
    }
    const Words values = WordsOf(rest);
    if (values.empty()) return;
    const auto value = Number(values[0]);
    if (!value) return;
    const std::string gpu = labels.contains("gpu") ? labels["gpu"] : "0";
    if (name == "DCGM_FI_DEV_XID_ERRORS") {
      if (*value > 0) Xid(static_cast<int>(*value), fmt::format("GPU {}", gpu));
      return;
    }
    const auto column = GuessColumn(name);
    if (!column) return;
    const bool on_gpu = IsVram(column->metric) || column->metric == Metric::kTemperature;
    std::string owner;
    for (const char* key : {"exported_pod", "pod", "container", "name"})
      if (!on_gpu && owner.empty() && labels.contains(key)) owner = labels[key];
    Add(column->metric, on_gpu ? "GPU " + gpu : "", owner,
        *value * (column->scale_known ? column->scale : 1));
    const double scale = column->scale_known ? column->scale : 1;
    auto& [used, free] = halves_[gpu];
    if (column->metric == Metric::kVramUsed) used = *value * scale;
    if (column->metric == Metric::kVramFree) free = *value * scale;
    if (used && free) Add(Metric::kVramTotal, "GPU " + gpu, "", *used + *free);
  }

  void Xid(int code, const std::string& device) {
    if (!at_) at_ = options_.reference;
    if (!at_) return;
    Interpreter interpreter(options_, source_, evidence_);
    Entry entry;
    entry.at = at_;
    const std::string line = fmt::format("NVRM: Xid (PCI:{}): {}, ", device.substr(4), code);
    entry.message = line;
    entry.identifier = "kernel";
    interpreter.Take(entry, number_);
  }

  void AtEnd() override {
    if (look_ == Look::kSmaps || source().samples == 0) evidence_.Note(source_, Hint(look_));
  }

  static std::string Hint(Look look) {
    switch (look) {
      case Look::kSmaps:
        return "looks like smaps or smaps_rollup of one moment, without a time; record a CSV: "
               "while "
               "sleep 10; do echo $(date -Is),$(awk '/^Pss:/{print $2}' /proc/PID/smaps_rollup); "
               "done, "
               "with the header time,pss_kib";
      case Look::kExporter:
        return "looks like an exporter's text of one moment; ask Prometheus for a range: "
               "/api/v1/query_range";
      case Look::kPs:
        return "looks like ps; record a CSV: while sleep 10; do echo $(date -Is),$(ps -o rss= -p "
               "PID); "
               "done, with the header time,rss_kib";
      case Look::kVmstat:
        return "looks like vmstat; record with vmstat -t";
      default:
        return "no reading of it could be used; a table with times can: docs/report.md";
    }
  }

  const Look look_;
  std::optional<Instant> at_;
  bool dated_ = false, processes_ = false, named_ = true;
  std::string device_, section_, process_, day_;
  std::map<std::string, std::string, std::less<>> pids_;
  std::vector<std::string> columns_;
  std::map<std::string, std::pair<std::optional<double>, std::optional<double>>> halves_;
  std::size_t devices_ = 0;
  double free_scale_ = 0;
};

bool Has(std::string_view text, std::string_view words) {
  return text.find(words) != std::string_view::npos;
}

}  // namespace

Look LookOf(std::string_view text) {
  if (Has(text, "| NVIDIA-SMI ")) return Look::kSmiTable;
  if (Has(text, "NVSMI LOG")) return Look::kSmiQuery;
  if (Has(text, "ROCm System Management") || Has(text, "GPU[0]\t") ||
      (Has(text, "GPU[0] ") && Has(text, "VRAM Total")))
    return Look::kRocmSmi;
  if (Has(text, " total ") && Has(text, " used ") && Has(text, "\nMem:")) return Look::kFree;
  if (Has(text, "--memory--") && Has(text, " swpd ")) return Look::kVmstat;
  if (Has(text, "kbmemfree")) return Look::kSar;
  if (Has(text, "Pss_Anon:") || (Has(text, "\nRss:") && Has(text, "\nPss:"))) return Look::kSmaps;
  if (text.starts_with("# HELP ") || text.starts_with("# TYPE ")) return Look::kExporter;
  if (Has(text, "MEM USAGE / LIMIT")) return Look::kDockerStats;
  if (Has(text, "CPU(cores)") || Has(text, "kubectl top")) return Look::kKubectlTop;
  if (Has(text, "PID %CPU %MEM") ||
      (Has(text, " PID ") && Has(text, " RSS ") && Has(text, "COMMAND")))
    return Look::kPs;
  return Look::kNothing;
}

std::unique_ptr<Parser> MakePasted(Look look, const ReadOptions& options, std::uint32_t source,
                                   Evidence& evidence) {
  return std::make_unique<Pasted>(look, options, source, evidence);
}

}  // namespace headroom::analyze
