// The answer of Prometheus' /api/v1/query_range:
// {"data":{"resultType":"matrix","result":[{"metric":{"__name__":…},"values":[[1761855600,"1"],…]}]}}
#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "observe/analyze/columns.h"
#include "observe/analyze/parser.h"

namespace headroom::analyze {
namespace {

constexpr std::size_t kMost = std::size_t{256} << 20;

class Prometheus : public Parser {
 public:
  Prometheus(const ReadOptions& options, std::uint32_t source, Evidence& evidence)
      : options_(options), source_(source), evidence_(evidence) {}

  void Feed(std::string_view bytes) override {
    if (text_.size() + bytes.size() <= kMost)
      text_ += bytes;
    else if (!std::exchange(too_long_, true))
      evidence_.Bad(source_, 1, "larger than 256 MiB; the rest is not read");
  }

  void End() override {
    evidence_.source(source_).lines = 1;
    const simdjson::padded_string padded(text_);
    text_ = std::string();
    simdjson::dom::parser parser;
    simdjson::dom::element document;
    simdjson::dom::array result;
    if (parser.parse(padded).get(document) || document.at_pointer("/data/result").get(result)) {
      evidence_.Bad(source_, 1, "is not an answer of query_range");
      return;
    }
    for (const simdjson::dom::element element : result) One(element);
  }

 private:
  static std::string_view Label(simdjson::dom::object labels, std::string_view key) {
    std::string_view text;
    if (labels[key].get(text)) return {};
    return text;
  }

  void One(simdjson::dom::element element) {
    simdjson::dom::object labels;
    simdjson::dom::array values, value;
    if (element["metric"].get(labels) ||
        (element["values"].get(values) && element["value"].get(value))) {
      evidence_.Bad(source_, 1, "a result without metric and values");
      return;
    }
    const bool instant = element["values"].error() != simdjson::SUCCESS;
    if (instant)
      evidence_.Note(source_,
                     "is the answer of an instant query, one moment; ask /api/v1/query_range");
    const std::string_view name = Label(labels, "__name__");
    if (name == "DCGM_FI_DEV_XID_ERRORS") {
      if (!instant) Xids(labels, values);
      return;
    }
    Column column;
    for (const Mapping& mapping : options_.mappings) {
      if (mapping.column == name) column = {mapping.metric, mapping.owner, mapping.scale, true};
    }
    if (!column.scale_known) {
      const auto guessed = GuessColumn(name);
      if (!guessed) {
        evidence_.Note(source_, fmt::format("metric \"{}\" is not known; use --map", name));
        return;
      }
      column = *guessed;
    }
    if (!column.scale_known) column.scale = 1;  // Prometheus' base unit is the byte
    std::string_view owner = column.owner;
    for (const std::string_view key :
         {"process_name", "pod", "exported_pod", "container", "name", "unit", "job"}) {
      if (owner.empty()) owner = Label(labels, key);
    }
    const bool on_gpu = IsVram(column.metric);
    std::string_view device = Label(labels, "gpu");
    if (device.empty()) device = Label(labels, "minor_number");
    if (on_gpu)
      owner = column.owner.empty() ? Label(labels, "process_name") : std::string_view(column.owner);
    const std::size_t series = evidence_.SeriesFor(
        source_, column.metric, on_gpu ? fmt::format("GPU {}", device.empty() ? "0" : device) : "",
        owner);
    const auto take = [&](simdjson::dom::array pair) {
      double seconds = 0;
      std::string_view text;
      if (pair.at(0).get(seconds) || pair.at(1).get(text) || !(seconds >= 0) || seconds > 1e10) {
        evidence_.Bad(source_, 1, "a value that is not [time, \"number\"]");
        return;
      }
      double number = 0;
      if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc() ||
          !std::isfinite(number))
        return;  // NaN: no value then
      const Instant at(Milliseconds(std::llround(seconds * 1000)));
      if ((options_.from && at < *options_.from) || (options_.to && at > *options_.to)) return;
      evidence_.AddSample(series, at, number * column.scale, 1);
      if (column.metric == Metric::kVramUsed || column.metric == Metric::kVramFree)
        Total(labels, column.metric, at, number * column.scale);
    };
    if (instant) {
      take(value);
      return;
    }
    for (const simdjson::dom::element pair : values) {
      simdjson::dom::array both;
      if (pair.get(both))
        evidence_.Bad(source_, 1, "a value that is not [time, \"number\"]");
      else
        take(both);
    }
  }

  // DCGM has no total: what is used and what is free are all of it.
  void Total(simdjson::dom::object labels, Metric metric, Instant at, double bytes) {
    std::string_view gpu = Label(labels, "gpu");
    auto& [used, free] = halves_[std::string(gpu)];
    (metric == Metric::kVramUsed ? used : free) = {at, bytes};
    if (used.second <= 0 || free.second <= 0 || used.first != free.first) return;
    evidence_.AddSample(evidence_.SeriesFor(source_, Metric::kVramTotal,
                                            fmt::format("GPU {}", gpu.empty() ? "0" : gpu), ""),
                        at, used.second + free.second, 1);
  }

  // The last Xid of a GPU as a number: an event when it changes.
  void Xids(simdjson::dom::object labels, simdjson::dom::array values) {
    Interpreter interpreter(options_, source_, evidence_);
    double last = 0;
    for (const simdjson::dom::element pair : values) {
      simdjson::dom::array both;
      double seconds = 0, code = 0;
      std::string_view text;
      if (pair.get(both) || both.at(0).get(seconds) || both.at(1).get(text) || !(seconds >= 0) ||
          seconds > 1e10 ||
          std::from_chars(text.data(), text.data() + text.size(), code).ec != std::errc())
        continue;
      if (code == last) continue;
      last = code;
      if (!(code > 0) || code > 1000) continue;
      const std::string message =
          fmt::format("NVRM: Xid (PCI:{}): {}, ", Label(labels, "gpu"), static_cast<int>(code));
      Entry entry;
      entry.at = Instant(Milliseconds(std::llround(seconds * 1000)));
      entry.message = message;
      entry.identifier = "kernel";
      interpreter.Take(entry, 1);
    }
  }

  const ReadOptions& options_;
  const std::uint32_t source_;
  Evidence& evidence_;
  std::string text_;
  std::map<std::string, std::pair<std::pair<Instant, double>, std::pair<Instant, double>>> halves_;
  bool too_long_ = false;
};

}  // namespace

std::unique_ptr<Parser> MakePrometheus(const ReadOptions& options, std::uint32_t source,
                                       Evidence& evidence) {
  return std::make_unique<Prometheus>(options, source, evidence);
}

}  // namespace headroom::analyze
