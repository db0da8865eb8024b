// Tables with a header: our own traces, nvidia-smi --query-gpu and --query-compute-apps, whatever
// a person has put together. The separator is the header's: comma, semicolon or tab.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "observe/analyze/columns.h"
#include "observe/analyze/parser.h"

namespace headroom::analyze {
namespace {

constexpr std::size_t kMostColumns = 256;

// The number at the beginning; what follows is a unit.
std::optional<double> Number(std::string_view text, std::string_view& rest) {
  double value = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (err != std::errc() || !std::isfinite(value)) return std::nullopt;
  rest = Trim(text.substr(static_cast<std::size_t>(end - text.data())));
  return value;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

bool IsUnknown(std::string_view cell) {
  return cell.empty() || cell == "-" || cell == "[N/A]" || cell == "N/A" || cell == "nan" ||
         cell == "NaN" || cell == "[Not Supported]" || cell == "null";
}

class Table : public LineParser {
 public:
  Table(const ReadOptions& options, std::uint32_t source, Evidence& evidence)
      : LineParser(options, source, evidence) {}

 private:
  struct Cell {
    enum class Role { kIgnored, kTime, kDate, kDevice, kOwner, kEvent, kMetric } role{};
    std::string name;
    Column column;
    bool seconds = false;  // of kTime: a bare number is since the table's zero
    std::vector<std::pair<std::string, std::size_t>> series;  // by device and owner
    double largest = 0;                                       // of values without a unit
    bool guessed = false;                                     // the unit is decided at the end
  };

  void Line(std::string_view line) override {
    if (Trim(line).empty() || (line[0] == '#' && !header_)) return;
    Cut(line);
    if (!header_) {
      Header();
      return;
    }
    if (fields_.size() > 0 && fields_[0] == columns_[0].name) return;  // a repeated header
    if (!usable_) return;
    if (line == last_line_ && !line.empty() && (device_known_ || owned_)) {
      ++source().duplicates;
      return;
    }
    last_line_ = line;
    Row();
  }

  // Quoting as in RFC 4180, without line ends inside quotes.
  void Cut(std::string_view line) {
    if (!header_) {
      separator_ = ',';
      for (const char c : {';', '\t'}) {
        if (std::count(line.begin(), line.end(), c) >
            std::count(line.begin(), line.end(), separator_))
          separator_ = c;
      }
    }
    fields_.clear();
    std::size_t at = 0;
    while (at <= line.size() && fields_.size() < kMostColumns) {
      std::size_t start = line.find_first_not_of(' ', at);
      if (start != std::string_view::npos && line[start] == '"') {
        const std::size_t close = line.find('"', start + 1);
        const std::size_t length = close == std::string_view::npos ? close : close - start - 1;
        fields_.push_back(line.substr(start + 1, length));
        at = close == std::string_view::npos ? close : line.find(separator_, close);
      } else {
        const std::size_t end = line.find(separator_, at);
        fields_.push_back(Trim(line.substr(at, end == std::string_view::npos ? end : end - at)));
        at = end;
      }
      if (at == std::string_view::npos) break;
      ++at;
    }
  }

  void AtEnd() override {
    for (Cell& cell : columns_) {
      if (!cell.guessed) continue;
      const std::string lower = Lower(cell.name);
      const bool of_process =
          lower.find("rss") != std::string::npos || lower.find("pss") != std::string::npos;
      const double scale = GuessScale(cell.largest, of_process);
      evidence_.Note(source_, fmt::format("column \"{}\" names no unit; {} assumed", cell.name,
                                          scale == 1      ? "bytes"
                                          : scale == 1024 ? "KiB"
                                                          : "MiB"));
      if (scale == 1) continue;
      for (const auto& [key, series] : cell.series) evidence_.Rescale(series, scale);
    }
  }

  // Rows of one moment without an index: nvidia-smi writes one for each GPU, in order.
  void SeveralGpus(Instant at, std::string_view& device) {
    if (device_known_ || owned_) return;
    const bool more = row_at_ && at >= *row_at_ && at - *row_at_ <= Milliseconds(20);
    row_ = more ? row_ + 1 : 0;
    if (!more) row_at_ = at;
    if (row_ == 0) return;
    evidence_.Note(
        source_,
        "several rows have one time and no index: they are taken for several GPUs, in order; "
        "record with --query-gpu=timestamp,index,…");
    joined_device_ = std::to_string(row_);
    device = joined_device_;
  }

  void Header() {
    header_ = true;
    bool time = false;
    for (const std::string_view field : fields_) {
      Cell cell;
      cell.name = Printable(field);
      const std::string lower = Lower(field);
      const auto mapped = std::find_if(options_.mappings.begin(), options_.mappings.end(),
                                       [&](const Mapping& m) { return m.column == field; });
      if (mapped != options_.mappings.end()) {
        cell.role = Cell::Role::kMetric;
        cell.column = {mapped->metric, mapped->owner, mapped->scale, true};
      } else if (!time && IsTime(lower)) {
        cell.role = Cell::Role::kTime;
        cell.seconds =
            lower == "time_s" || lower == "t" || lower == "seconds" || lower == "elapsed";
        time = true;
      } else if (lower == "date") {
        cell.role = Cell::Role::kDate;
      } else if (lower == "index" || lower == "gpu" || lower == "pci.bus_id" ||
                 lower == "gpu_bus_id" || lower == "gpu_uuid" || lower == "uuid" ||
                 lower == "device") {
        cell.role = Cell::Role::kDevice;
        if (device_known_) cell.role = Cell::Role::kIgnored;
        device_known_ = true;
      } else if (lower == "process_name" || lower == "unit" || lower == "owner" ||
                 lower == "process" || lower == "command" || lower == "service" || lower == "pod" ||
                 lower == "container" || lower == "pod_name" || lower == "container_name" ||
                 lower == "comm") {
        cell.role = owned_ ? Cell::Role::kIgnored : Cell::Role::kOwner;
        owned_ = true;
      } else if (lower == "event") {
        cell.role = Cell::Role::kEvent;
      } else if (const auto column = GuessColumn(field)) {
        cell.role = Cell::Role::kMetric;
        cell.column = *column;
        usable_ = true;
      } else if (lower != "name" && lower != "gpu_name" && lower != "pid" && lower != "wanted" &&
                 lower != "decoding") {
        evidence_.Note(source_,
                       fmt::format("column \"{}\" is not known and is ignored", cell.name));
      }
      if (cell.role == Cell::Role::kMetric) usable_ = true;
      columns_.push_back(std::move(cell));
    }
    if (!time) {
      usable_ = false;
      evidence_.Note(source_, "no column is a time; nothing of it is used");
    } else if (!usable_) {
      evidence_.Note(source_, "no column is a size that is known; use --map");
    }
  }

  static bool IsTime(std::string_view lower) {
    return lower == "timestamp" || lower == "time" || lower == "datetime" || lower == "time_s" ||
           lower == "ts" || lower == "t" || lower == "date_time" || lower == "seconds" ||
           lower == "elapsed" || lower == "epoch" || lower == "unix" || lower == "time_ms";
  }

  std::optional<Instant> Time(std::string_view text, bool seconds) {
    if (!date_.empty()) {
      joined_ = date_ + " " + std::string(text);
      text = joined_;
    }
    if (const auto parsed = ParseTime(text, options_.zone, options_.reference)) {
      if (!parsed->zone_named) source().zone_assumed = true;
      return parsed->at;
    }
    std::string_view rest;
    const auto number = Number(text, rest);
    if (!number || *number < 0 || *number > 4e9 || !rest.empty()) return std::nullopt;
    if (!seconds && *number > 1e8) return std::nullopt;
    if (!options_.start)
      evidence_.Note(
          source_,
          "its times begin at zero; they are shown as of 1970 unless --start says when that was");
    return options_.start.value_or(Instant()) +
           Milliseconds(static_cast<std::int64_t>(std::llround(*number * 1000)));
  }

  void Row() {
    if (fields_.size() < columns_.size()) {
      Bad("fewer cells than the header has");
      return;
    }
    std::optional<Instant> at;
    std::string_view device, owner;
    date_.clear();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const Cell& cell = columns_[i];
      if (cell.role == Cell::Role::kDate) date_ = fields_[i];
      if (cell.role == Cell::Role::kDevice) device = fields_[i];
      if (cell.role == Cell::Role::kOwner) owner = fields_[i];
    }
    for (std::size_t i = 0; i < columns_.size() && !at; ++i) {
      if (columns_[i].role == Cell::Role::kTime) at = Time(fields_[i], columns_[i].seconds);
    }
    if (!at) {
      Bad("its time cannot be read");
      return;
    }
    if (last_ && *at < *last_ - std::chrono::seconds(10)) {
      ++source().clock_steps;
      evidence_.Note(source_, fmt::format("line {}: the clock goes back by {}", number_,
                                          FormatLength(*last_ - *at)));
    }
    last_ = at;
    if (!Inside(*at)) return;
    SeveralGpus(*at, device);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].role == Cell::Role::kEvent && !fields_[i].empty())
        TraceEvent(*at, fields_[i]);
      if (columns_[i].role == Cell::Role::kMetric && !IsUnknown(fields_[i]))
        Value(*at, columns_[i], fields_[i], device, owner);
    }
  }

  void Value(Instant at, Cell& cell, std::string_view text, std::string_view device,
             std::string_view owner) {
    std::string_view unit;
    const auto number = Number(text, unit);
    if (!number) {
      Bad(fmt::format("{}: \"{}\" is not a number", cell.name, text));
      return;
    }
    double scale = cell.column.scale;
    if (const auto named = unit.empty() ? std::nullopt : UnitScale(unit)) {
      scale = *named;
    } else if (!cell.column.scale_known) {
      scale = 1;  // decided at the end, over all of the column
      cell.largest = std::max(cell.largest, *number);
      cell.guessed = true;
    }
    // One lookup by text for each new (device, owner) of a column, not for each row.
    key_.assign(device).append("\n").append(owner);
    auto found = std::find_if(cell.series.begin(), cell.series.end(),
                              [&](const auto& entry) { return entry.first == key_; });
    if (found == cell.series.end()) {
      const bool on_gpu = IsVram(cell.column.metric) || cell.column.metric == Metric::kBusy ||
                          cell.column.metric == Metric::kTemperature;
      std::string place;
      if (on_gpu) {
        const bool index =
            device.size() < 4 && device.find_first_not_of("0123456789") == std::string_view::npos;
        place = device.empty()               ? "GPU 0"
                : index                      ? "GPU " + std::string(device)
                : device.starts_with("card") ? "GPU " + std::string(device.substr(4))
                                             : std::string(device);
      }
      const std::size_t series =
          evidence_.SeriesFor(source_, cell.column.metric, place,
                              cell.column.owner.empty() ? owner : cell.column.owner);
      if (cell.series.size() >= Evidence::kMostSeries) return;
      found = cell.series.insert(cell.series.end(), {key_, series});
    }
    evidence_.AddSample(found->second, at, *number * scale, number_);
  }

  // The words of our own traces (src/memory/trace.h).
  void TraceEvent(Instant at, std::string_view word) {
    EventType type;
    type.name = Printable(word);
    if (word == "suspend")
      type.kind = EventKind::kSuspend;
    else if (word == "resume")
      type.kind = EventKind::kResume;
    else if (word == "oom")
      type.family = Family::kOutOfMemory, type.code = "2";
    else if (word == "sticky")
      type.family = Family::kSticky;
    else if (word == "lost")
      type.family = Family::kLost;
    evidence_.AddEvent({at, evidence_.TypeFor(type), {source_, number_}, 1});
  }

  bool owned_ = false;
  std::optional<Instant> row_at_;
  std::size_t row_ = 0;
  std::string joined_device_;
  bool header_ = false, usable_ = false, device_known_ = false;
  char separator_ = ',';
  std::vector<std::string_view> fields_;
  std::vector<Cell> columns_;
  std::string last_line_, date_, joined_, key_;
  std::optional<Instant> last_;
};

}  // namespace

std::unique_ptr<Parser> MakeCsv(const ReadOptions& options, std::uint32_t source,
                                Evidence& evidence) {
  return std::make_unique<Table>(options, source, evidence);
}

}  // namespace headroom::analyze
