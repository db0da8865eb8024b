// The tools of GPUs, as pasted: the table of nvidia-smi, nvidia-smi -q, rocm-smi.
#include <fmt/format.h>

#include <map>

#include "base/text.h"
#include "observe/analyze/columns.h"
#include "observe/analyze/pasted_parser.h"

namespace headroom::analyze {
namespace {

class SmiTable : public PastedParser {
 public:
  using PastedParser::PastedParser;

 private:
  // |   0  NVIDIA GeForce RTX 3090        On  |   00000000:0F:00.0  On |
  // | 30%   42C    P8             14W /  350W |   23344MiB /  24576MiB |
  // |    0   N/A  N/A     20011      C   python3              22990MiB |
  void Row(std::string_view line) override {
    if (!line.starts_with("|")) return;
    if (line.find("Processes:") != std::string_view::npos) {
      processes_ = true;
      pids_.clear();
      return;
    }
    if (line.find("NVIDIA-SMI") != std::string_view::npos) processes_ = false;
    Words words;
    for (const std::string_view word : WordsOf(line))
      if (word != "|") words.push_back(word);
    if (words.empty()) return;
    if (processes_) {
      const auto size = SizeOf(words.back());
      if (!size || words.size() < 4 || !NumberOf(words[0])) return;
      const std::string_view name = words[words.size() - 2];
      std::string_view pid;
      for (std::size_t i = 1; i + 2 < words.size(); ++i)
        if (NumberOf(words[i])) pid = words[i];
      std::string owner(FileOf(name));
      const auto [known, fresh] = pids_.try_emplace(owner, pid);
      if (!fresh && known->second != pid) owner += fmt::format(" ({})", pid);
      Add(Metric::kVramUsed, fmt::format("GPU {}", words[0]), owner, *size);
      return;
    }
    const std::size_t slash = line.find("MiB /");
    if (slash == std::string_view::npos) {
      if (NumberOf(words[0]) && line.find(':') != std::string_view::npos)
        device_ = fmt::format("GPU {}", words[0]);
      return;
    }
    for (std::size_t i = 0; i + 2 < words.size(); ++i) {
      if (words[i + 1] != "/") continue;
      const auto used = SizeOf(words[i]), total = SizeOf(words[i + 2]);
      if (!used || !total || device_.empty()) continue;
      Add(Metric::kVramUsed, device_, "", *used);
      Add(Metric::kVramTotal, device_, "", *total);
    }
    for (const std::string_view word : words) {
      if (word.size() > 1 && word.back() == 'C') {
        if (const auto degrees = NumberOf(word.substr(0, word.size() - 1));
            degrees && !device_.empty())
          Add(Metric::kTemperature, device_, "", *degrees);
      }
    }
  }

  bool processes_ = false;
  std::string device_;
  std::map<std::string, std::string, std::less<>> pids_;  // of each program, its first
};

class SmiQuery : public PastedParser {
 public:
  using PastedParser::PastedParser;

 private:
  void Row(std::string_view text) override {
    if (!indented_ && (text.starts_with("GPU ") || text.starts_with("GPU\t"))) {
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
    if (key == "Name") process_ = FileOf(value);
    const std::size_t space = value.find(' ');
    const auto number = NumberOf(value.substr(0, space));
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

  std::string device_, section_, process_;
  std::size_t devices_ = 0;
};

class RocmSmi : public PastedParser {
 public:
  using PastedParser::PastedParser;

 private:
  // GPU[0]          : VRAM Total Used Memory (B): 16988143616
  void Row(std::string_view line) override {
    if (!line.starts_with("GPU[")) return;
    const std::size_t close = line.find(']');
    const std::size_t colon = line.rfind(": ");
    if (close == std::string_view::npos || colon == std::string_view::npos) return;
    const std::string device = fmt::format("GPU {}", line.substr(4, close - 4));
    const auto value = NumberOf(Trim(line.substr(colon + 2)));
    if (!value || line.find("VRAM Total") == std::string_view::npos ||
        line.find("(B)") == std::string_view::npos)
      return;
    const bool used = line.find("Used") != std::string_view::npos;
    Add(used ? Metric::kVramUsed : Metric::kVramTotal, device, "", *value);
  }
};

}  // namespace

std::unique_ptr<Parser> MakePastedGpu(Look look, const ReadOptions& options, std::uint32_t source,
                                      Evidence& evidence) {
  switch (look) {
    case Look::kSmiTable:
      return std::make_unique<SmiTable>(look, options, source, evidence);
    case Look::kSmiQuery:
      return std::make_unique<SmiQuery>(look, options, source, evidence);
    case Look::kRocmSmi:
      return std::make_unique<RocmSmi>(look, options, source, evidence);
    default:
      return nullptr;
  }
}

}  // namespace headroom::analyze
