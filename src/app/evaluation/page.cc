#include <fmt/format.h>

#include <algorithm>

#include "app/evaluation/measured.h"

namespace headroom::evaluation {
namespace {

constexpr double kWidth = 720, kHeight = 360, kEdge = 60;

constexpr std::string_view kStyle =
    "body{font:16px/1.4 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em;"
    "color:#1a1a1a;background:#fff}table{border-collapse:collapse;font-variant-numeric:tabular-"
    "nums}td,th{padding:.2em .6em;text-align:right;border-bottom:1px solid #ddd}td:first-child,"
    "th:first-child{text-align:left}svg{max-width:100%;height:auto}text{font:12px system-ui,"
    "sans-serif;fill:currentColor}.line{fill:none;stroke:#0a6;stroke-width:2}.axis{stroke:#888}"
    "circle{fill:#999}circle.front{fill:#0a6}circle.published{fill:none;stroke:#999;"
    "stroke-width:2}circle.front.published{stroke:#0a6}@media(prefers-color-scheme:dark){"
    "body{color:#eee;background:#111}td,th{border-color:#333}}";

std::string Escape(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

// A linear scale from 0 to `most`.
struct Scale {
  double most = 1;
  double from = 0, to = 0;  // pixels
  double operator()(double value) const { return from + (to - from) * value / most; }
};

std::string Picture(const std::vector<Measured>& rows, const std::vector<Point>& points,
                    std::string_view title, std::string_view unit) {
  if (points.empty()) return "";
  const Scale x{std::max(1.0, points.back().memory * 1.25), kEdge, kWidth - kEdge / 4};
  const double most = std::ranges::max(points, {}, &Point::cost).cost;
  const Scale y{most > 0 ? most * 1.15 : 1, kHeight - kEdge, kEdge / 2};
  std::string svg =
      fmt::format("<h2>{}</h2>\n<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
                  title, kWidth, kHeight, title);
  svg += fmt::format("<path class=\"axis\" fill=\"none\" d=\"M{0} {1}V{2}H{3}\"/>\n", x(0),
                     kEdge / 2, y(0), kWidth);
  for (int i = 0; i <= 4; ++i) {
    const double memory = x.most * i / 4, cost = y.most * i / 4;
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:.0f} MiB</text>\n",
                       x(memory), y(0) + 20, memory);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:.3g} {}</text>\n",
                       x(0) - 6, y(cost) + 4, cost, unit);
  }
  std::string line;
  for (const Point& point : points) {
    if (point.front)
      line +=
          fmt::format("{}{:.1f} {:.1f}", line.empty() ? "M" : "L", x(point.memory), y(point.cost));
  }
  svg += fmt::format("<path class=\"line\" d=\"{}\"/>\n", line);
  for (const Point& point : points) {
    const std::string name = Escape(rows[point.row].Title());
    svg += fmt::format(
        "<circle class=\"{}{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\"><title>{}: {:.0f} MiB, {:.3g} "
        "{}</title></circle><text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
        point.front ? "front" : "", point.published ? " published" : "", x(point.memory),
        y(point.cost), name, point.memory, point.cost, unit, x(point.memory) + 8, y(point.cost) - 6,
        point.front ? name : "");
  }
  return svg + "</svg>\n";
}

template <class Value>
std::string Cell(bool there, const Value& value) {
  return "<td>" + (there ? Escape(value()) : std::string("–")) + "</td>";
}

std::string Row(const Measured& row, const std::vector<Milliseconds>& lengths) {
  const auto mib = [](const std::optional<Bytes>& bytes) {
    return Cell(bytes.has_value(),
                [&] { return fmt::format("{:.0f}", static_cast<double>(bytes->n) / (1 << 20)); });
  };
  const auto number = [](const std::optional<double>& value, int digits) {
    return Cell(value.has_value(), [&] { return fmt::format("{:.{}f}", *value, digits); });
  };
  std::string html = "<tr><td>" + Escape(row.Title()) + "</td>" + mib(row.size) + mib(row.plan) +
                     mib(row.peak) + number(row.load_seconds, 2) + number(row.rate, 3);
  for (const Milliseconds length : lengths) {
    const auto one = std::ranges::find(row.latencies, length, &Latency::audio);
    html += Cell(one != row.latencies.end(), [&] { return fmt::format("{:.2f}", one->seconds); });
  }
  return html +
         Cell(row.wer.has_value() || !row.error.empty(),
              [&] {
                if (!row.error.empty()) return row.error;
                return fmt::format("{:.2f} %{}", *row.wer, row.published ? " (published)" : "");
              }) +
         "</tr>\n";
}

}  // namespace

std::string ShowPage(const std::vector<Measured>& rows, const Conditions& run) {
  std::vector<Milliseconds> lengths;
  for (const Measured& row : rows)
    for (const Latency& one : row.latencies)
      if (std::ranges::find(lengths, one.audio) == lengths.end()) lengths.push_back(one.audio);
  std::ranges::sort(lengths);
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>Models, measured</title>\n<style>{}</style></head>\n"
      "<body><h1>Models, measured</h1>\n<p>{} clips, {} words, {:.0f} s of audio, {} "
      "threads.</p>\n<table><thead><tr><th>Model</th><th>file, MiB</th><th>planned, MiB</th>"
      "<th>peak, MiB</th><th>load, s</th><th>s for 1 s</th>",
      kStyle, run.clips, run.words, run.seconds, run.threads);
  for (const Milliseconds length : lengths)
    html += fmt::format("<th>{:g} s</th>", static_cast<double>(length.count()) / 1000);
  html += "<th>word errors</th></tr></thead>\n<tbody>\n";
  for (const Measured& row : rows) html += Row(row, lengths);
  html += "</tbody></table>\n";
  html += Picture(rows, ErrorsByMemory(rows), "Word errors by memory", "%");
  html +=
      Picture(rows, TimeByMemory(rows), "Seconds of computing per second of audio, by memory", "s");
  html += "<p>Green: no other model is better in one without being worse in the other.";
  if (std::ranges::any_of(rows, &Measured::published))
    html += fmt::format(" Rings, \"published\": not measured here but {}; memory is planned.",
                        Escape(run.wer_source));
  return html + "</p>\n</body></html>\n";
}

}  // namespace headroom::evaluation
