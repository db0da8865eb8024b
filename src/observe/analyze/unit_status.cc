// systemctl status: "Memory: 999.8M (peak: 6.0G swap: 614.0M swap peak: 1.3G)". Sizes are binary.
// The moment is that of the newest log line in it, else its file's.
#include "base/bytes.h"
#include "base/text.h"
#include "observe/analyze/parser.h"

namespace headroom::analyze {
namespace {

class Status : public LineParser {
 public:
  Status(const ReadOptions& options, std::uint32_t source, Evidence& evidence)
      : LineParser(options, source, evidence), interpreter_(options, source, evidence) {}

 private:
  struct Size {
    Metric metric;
    double bytes;
    std::uint32_t line;
  };

  void Line(std::string_view line) override {
    const std::string_view text = Trim(line);
    if (unit_.empty()) {
      for (const std::string& word : Split(text, ' ')) {
        if (word.find(".service") != std::string::npos || word.find(".scope") != std::string::npos)
          unit_ = Printable(word);
      }
    }
    if (text.starts_with("Active: ")) {
      const std::size_t since = text.find(" since ");
      if (since == std::string_view::npos) return;
      if (const auto at = ParseTime(text.substr(since + 7), options_.zone, options_.reference)) {
        if (!at->zone_named) source().zone_assumed = true;
        EventType type;
        type.kind = text.find("active (running)") == 8 ? EventKind::kStart : EventKind::kStop;
        type.name = type.kind == EventKind::kStart ? "unit-start" : "unit-stop";
        type.unit = type.subject = unit_;
        if (Inside(at->at))
          evidence_.AddEvent({at->at, evidence_.TypeFor(type), {source_, number_}, 1});
        if (!latest_ || at->at > *latest_) latest_ = at->at;
      }
      return;
    }
    if (text.starts_with("Memory: ")) {
      Memory(text.substr(8));
      return;
    }
    if (text.starts_with("Swap: ")) {
      Take(Metric::kSwap, text.substr(6));
      return;
    }
    if (const auto at = ParseTime(text, options_.zone, options_.reference)) {
      Entry entry;
      entry.at = at->at;
      entry.unit = unit_;
      const std::size_t colon = text.find(": ", at->length);
      entry.message = colon == std::string_view::npos ? text : text.substr(colon + 2);
      interpreter_.Take(entry, number_);
      latest_ = latest_ ? std::max(*latest_, at->at) : at->at;
      logged_ = true;
    }
  }

  void Memory(std::string_view text) {
    Take(Metric::kRam, text);
    const auto part = [&](std::string_view name, Metric metric) {
      std::size_t at = text.find(name);
      // "swap: " is also the end of no other word; "peak: " is the end of "swap peak: ".
      if (name == "peak: " && at >= 5 && at != std::string_view::npos &&
          text.substr(at - 5, 5) == "swap ")
        at = std::string_view::npos;
      if (at != std::string_view::npos) Take(metric, text.substr(at + name.size()));
    };
    part("peak: ", Metric::kRamPeak);
    part("swap: ", Metric::kSwap);
    part("swap peak: ", Metric::kSwapPeak);
    part("high: ", Metric::kMemoryHigh);
    part("max: ", Metric::kMemoryMax);
  }

  void Take(Metric metric, std::string_view text) {
    const std::size_t end = text.find_first_not_of("0123456789.KMGTB");
    std::string size(text.substr(0, end));
    if (size.empty()) return;
    if (size.back() != 'B') size += size.back() >= 'A' ? "i" : "B";
    if (const auto bytes = ParseBytes(size))
      sizes_.push_back({metric, static_cast<double>(bytes->n), number_});
    else
      Bad("a size that cannot be read");
  }

  void AtEnd() override {
    std::optional<Instant> at = logged_ ? latest_ : options_.reference;
    if (!at) at = latest_;
    if (!at) return;
    if (!sizes_.empty())
      evidence_.Note(source_, logged_ ? "its sizes are taken as of its newest log line"
                                      : "its sizes are taken as of the file's time");
    for (const Size& size : sizes_) {
      number_ = size.line;
      Sample(size.metric, "", unit_, *at, size.bytes);
    }
  }

  Interpreter interpreter_;
  std::string unit_;
  std::optional<Instant> latest_;
  bool logged_ = false;
  std::vector<Size> sizes_;
};

}  // namespace

std::unique_ptr<Parser> MakeStatus(const ReadOptions& options, std::uint32_t source,
                                   Evidence& evidence) {
  return std::make_unique<Status>(options, source, evidence);
}

}  // namespace headroom::analyze
