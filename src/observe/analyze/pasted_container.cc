// What containers and exporters say, as pasted: kubectl top, docker stats, Prometheus text (DCGM).
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "observe/analyze/columns.h"
#include "observe/analyze/pasted_parser.h"

namespace headroom::analyze {
namespace {

class KubectlTop : public PastedParser {
 public:
  using PastedParser::PastedParser;

 private:
  void Row(std::string_view line) override {
    const Words words = WordsOf(line);
    if (words.size() < 3 || words[0] == "NAME" || words[0] == "POD" || words[0] == "#") return;
    const auto size = SizeOf(words.back());
    const std::string_view cpu = words[words.size() - 2];
    if (!size || !(cpu.ends_with("m") || NumberOf(cpu))) return;
    std::string owner(words[0]);
    for (std::size_t i = 1; i + 2 < words.size(); ++i) owner += fmt::format("/{}", words[i]);
    Add(Metric::kRam, "", owner, *size);
  }
};

class DockerStats : public PastedParser {
 public:
  using PastedParser::PastedParser;

 private:
  // CONTAINER ID   NAME   CPU %   MEM USAGE / LIMIT   MEM %
  void Row(std::string_view line) override {
    const Words words = WordsOf(line);
    if (words[0] == "CONTAINER" || words[0] == "NAME") {
      named_ = words.size() > 1 && words[1] == "ID";
      return;
    }
    for (std::size_t i = 1; i + 1 < words.size(); ++i) {
      if (words[i] != "/") continue;
      const auto used = SizeOf(words[i - 1]), limit = SizeOf(words[i + 1]);
      if (!used || !limit) return;
      const std::string_view owner = named_ && words.size() > 1 ? words[1] : words[0];
      Add(Metric::kRam, "", owner, *used);
      Add(Metric::kMemoryMax, "", owner, *limit);
      return;
    }
  }

  bool named_ = true;  // the second column is the name
};

class Exporter : public PastedParser {
 public:
  using PastedParser::PastedParser;

 private:
  // DCGM_FI_DEV_FB_USED{gpu="0",…} 23716 [time in ms]
  void Row(std::string_view line) override {
    if (line.starts_with("#")) return;
    const std::size_t brace = line.find('{'), space = line.find_first_of(" {");
    const std::string_view name = line.substr(0, space);
    std::string_view rest = line.substr(std::min(space, line.size()));
    std::map<std::string, std::string, std::less<>> labels;
    if (brace != std::string_view::npos && brace == space) {
      const std::size_t close = line.rfind('}');
      if (close == std::string_view::npos) return;
      for (const std::string& label : Split(line.substr(brace + 1, close - brace - 1), ',')) {
        const std::size_t equals = label.find("=\"");
        if (equals != std::string::npos)
          labels[std::string(Trim(label.substr(0, equals)))] =
              label.substr(equals + 2, label.size() - equals - 3);
      }
      rest = line.substr(close + 1);
    }
    const Words values = WordsOf(rest);
    if (values.empty()) return;
    const auto value = NumberOf(values[0]);
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
    const double size = *value * (column->scale_known ? column->scale : 1);
    Add(column->metric, on_gpu ? "GPU " + gpu : "", owner, size);
    auto& [used, free] = halves_[gpu];
    if (column->metric == Metric::kVramUsed) used = size;
    if (column->metric == Metric::kVramFree) free = size;
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

  struct Halves {
    std::optional<double> used, free;
  };
  std::map<std::string, Halves> halves_;  // of each GPU's memory
};

}  // namespace

std::unique_ptr<Parser> MakePastedContainer(Look look, const ReadOptions& options,
                                            std::uint32_t source, Evidence& evidence) {
  switch (look) {
    case Look::kKubectlTop:
      return std::make_unique<KubectlTop>(look, options, source, evidence);
    case Look::kDockerStats:
      return std::make_unique<DockerStats>(look, options, source, evidence);
    case Look::kExporter:
      return std::make_unique<Exporter>(look, options, source, evidence);
    default:
      return nullptr;
  }
}

}  // namespace headroom::analyze
