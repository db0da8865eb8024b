// nvidia-smi dmon and pmon (-o DT for times): a line "# gpu pid … fb command" names the columns, a
// second one the units. fb is in MiB, though the units line says MB.
#include <charconv>

#include "base/text.h"
#include "observe/analyze/parser.h"

namespace headroom::analyze {
namespace {

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos) return words;
    const std::size_t end = line.find_first_of(" \t", start);
    words.push_back(line.substr(start, end == std::string_view::npos ? end : end - start));
    if (end == std::string_view::npos) return words;
    line.remove_prefix(end);
  }
}

class Mon : public LineParser {
 public:
  Mon(const ReadOptions& options, std::uint32_t source, Evidence& evidence)
      : LineParser(options, source, evidence) {}

 private:
  void Line(std::string_view line) override {
    const bool comment = line.starts_with("#");
    if (comment) line.remove_prefix(1);
    const std::vector<std::string_view> words = Words(line);
    if (words.empty()) return;
    if (comment) {
      bool names = false;
      for (const std::string_view word : words) names = names || word == "gpu";
      if (!names) return;
      columns_.assign(words.begin(), words.end());
      return;
    }
    if (columns_.empty()) {
      Bad("a row before the line that names the columns");
      return;
    }
    Row(words);
  }

  void Row(const std::vector<std::string_view>& words) {
    if (words.size() < columns_.size()) {
      Bad("fewer words than there are columns");
      return;
    }
    std::string date, clock, device = "GPU 0", owner;
    std::optional<double> fb, busy, temperature;
    bool process = false;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& name = columns_[i];
      const std::string_view word = words[i];
      double value = 0;
      const bool number =
          std::from_chars(word.data(), word.data() + word.size(), value).ec == std::errc();
      if (name == "Date" || name == "YYYYMMDD")
        date = word;
      else if (name == "Time" || name == "HH:MM:SS")
        clock = word;
      else if (name == "gpu")
        device = "GPU " + std::string(word);
      else if (name == "pid")
        process = true;
      else if (name == "fb" && number)
        fb = value;
      else if (name == "sm" && number)
        busy = value;
      else if (name == "gtemp" && number)
        temperature = value;
      else if (name == "command" || name == "name")
        owner = word;
    }
    if (clock.empty()) {
      if (++source().timeless == 1)
        evidence_.Note(source_, "has no times; record with nvidia-smi pmon -o DT");
      return;
    }
    const auto time = ParseTime(date + " " + clock, options_.zone, options_.reference);
    if (!time) {
      Bad("its time cannot be read");
      return;
    }
    source().zone_assumed = true;
    if (process && (owner == "-" || owner.empty())) return;  // no process on that GPU
    if (fb) Sample(Metric::kVramUsed, device, owner, time->at, *fb * 1048576);
    if (busy) Sample(Metric::kBusy, device, owner, time->at, *busy);
    if (temperature) Sample(Metric::kTemperature, device, "", time->at, *temperature);
  }

  std::vector<std::string> columns_;
};

}  // namespace

std::unique_ptr<Parser> MakeMon(const ReadOptions& options, std::uint32_t source,
                                Evidence& evidence) {
  return std::make_unique<Mon>(options, source, evidence);
}

}  // namespace headroom::analyze
