// Numbers in Prometheus' text format, the only writer of it.
// https://prometheus.io/docs/instrumenting/exposition_formats
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headroom::net {

class PrometheusText {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

  /// `prefix` precedes every name, with an underscore between.
  explicit PrometheusText(std::string_view prefix = "headroom") : prefix_(prefix) {}

  /// A metric with one value and no labels.
  template <class Number>
  void Counter(std::string_view name, std::string_view help, Number value) {
    Begin(name, "counter", help);
    Value({}, value);
  }
  template <class Number>
  void Gauge(std::string_view name, std::string_view help, Number value) {
    Begin(name, "gauge", help);
    Value({}, value);
  }

  /// A metric with labels: Begin, then one Value for each set of labels. `type`: "counter",
  /// "gauge", "histogram".
  void Begin(std::string_view name, std::string_view type, std::string_view help);
  /// `suffix` belongs to histograms: "_bucket", "_sum", "_count".
  template <class Number>
  void Value(const Labels& labels, Number value, std::string_view suffix = "") {
    AddLine(labels, fmt::to_string(value), suffix);
  }

  std::string text() && { return std::move(text_); }

 private:
  void AddLine(const Labels& labels, std::string_view value, std::string_view suffix);

  const std::string prefix_;
  std::string name_;  // of the metric that was begun last
  std::string text_;
};

}  // namespace headroom::net
