#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/evaluation/measured.h"
#include "speech/text/words.h"

namespace headroom::evaluation {
namespace {

constexpr std::size_t kWide = 60, kHigh = 12;  // of a picture, in characters

// A row's letter in the plots: "a" to "z", then "A" to "Z".
char Letter(std::size_t row) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return row < kLetters.size() ? kLetters[row] : '*';
}

std::string Seconds(const std::optional<double>& value) {
  return value ? fmt::format("{:.2f} s", *value) : "-";
}

std::string MiB(const std::optional<Bytes>& value) {
  return value ? fmt::format("{:.0f}", static_cast<double>(value->n) / (1 << 20)) : "-";
}

std::vector<std::vector<std::string>> Cells(const std::vector<Measured>& rows) {
  std::vector<Milliseconds> lengths;
  for (const Measured& row : rows)
    for (const Latency& one : row.latencies)
      if (std::ranges::find(lengths, one.audio) == lengths.end()) lengths.push_back(one.audio);
  std::ranges::sort(lengths);
  std::vector<std::string> head = {"", "MODEL", "FILE MiB", "PLAN MiB", "PEAK MiB", "LOAD", "RATE"};
  for (const Milliseconds length : lengths)
    head.push_back(fmt::format("{:g} s", static_cast<double>(length.count()) / 1000));
  head.emplace_back("WER");
  std::vector<std::vector<std::string>> cells = {head};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Measured& row = rows[i];
    std::vector<std::string> line = {std::string(1, Letter(i)),
                                     row.Title(),
                                     MiB(row.size),
                                     MiB(row.plan),
                                     MiB(row.peak),
                                     Seconds(row.load_seconds),
                                     row.rate ? fmt::format("{:.3f}", *row.rate) : "-"};
    for (const Milliseconds length : lengths) {
      const auto one = std::ranges::find(row.latencies, length, &Latency::audio);
      line.push_back(one == row.latencies.end() ? "-" : fmt::format("{:.2f} s", one->seconds));
    }
    line.push_back(
        row.wer ? fmt::format("{:.2f} %{}", *row.wer, row.published ? " (published)" : "") : "-");
    if (!row.error.empty()) line.back() = row.error;
    cells.push_back(std::move(line));
  }
  return cells;
}

std::string Table(const std::vector<std::vector<std::string>>& cells) {
  std::vector<std::size_t> widths(cells[0].size());
  for (const auto& line : cells)
    for (std::size_t i = 0; i + 1 < line.size(); ++i)
      widths[i] = std::max(widths[i], speech::Columns(line[i]));
  std::string text;
  for (const auto& line : cells) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      const bool last = i + 1 == line.size();
      const std::size_t fill = last ? 0 : widths[i] - speech::Columns(line[i]);
      const std::string spaces(fill, ' ');
      text += (i < 2 || last ? line[i] + spaces : spaces + line[i]) + (last ? "\n" : "  ");
    }
  }
  return text;
}

std::size_t Place(double value, double least, double most, std::size_t cells) {
  if (!(most > least)) return 0;
  const double part = (value - least) / (most - least);
  return static_cast<std::size_t>(std::lround(part * static_cast<double>(cells - 1)));
}

// Letters in brackets mark the front.
std::string Picture(const std::vector<Point>& points, std::string_view title,
                    std::string_view unit) {
  if (points.size() < 2) return "";
  const auto [low, high] = std::ranges::minmax(points, {}, &Point::cost);
  const double right = points.back().memory, left = points.front().memory;
  std::vector<std::string> grid(kHigh, std::string(kWide + 2, ' '));
  for (const bool front : {false, true}) {
    for (const Point& point : points) {
      if (point.front != front) continue;
      std::string& line = grid[kHigh - 1 - Place(point.cost, low.cost, high.cost, kHigh)];
      const std::size_t at = 1 + Place(point.memory, left, right, kWide);
      line[at] = Letter(point.row);
      if (front) line[at - 1] = '[', line[at + 1] = ']';
    }
  }
  std::string text = fmt::format("\n{}\n", title);
  for (std::size_t i = 0; i < kHigh; ++i) {
    const std::string label = i == 0           ? fmt::format("{:.3g} {}", high.cost, unit)
                              : i == kHigh - 1 ? fmt::format("{:.3g} {}", low.cost, unit)
                                               : "";
    text += fmt::format("{:>14} │{}\n", label, grid[i]);
  }
  std::string axis;
  for (std::size_t i = 0; i < kWide + 2; ++i) axis += "─";
  const std::string from = fmt::format("{:.0f} MiB", left), to = fmt::format("{:.0f} MiB", right);
  return text + fmt::format("{:>14} └{}\n{:>16}{}{:>{}}\n", "", axis, "", from, to,
                            kWide + 2 - from.size());
}

}  // namespace

std::string ShowText(const std::vector<Measured>& rows, const Conditions& run) {
  std::string text = Table(Cells(rows));
  text += Picture(ErrorsByMemory(rows), "Word errors by memory", "%");
  text += Picture(TimeByMemory(rows), "Seconds of computing per second of audio, by memory", "s");
  text += "\n[x]: no other model is better in one without being worse in the other.\n";
  if (run.clips > 0)
    text += fmt::format("{} clips, {} words, {:.0f} s of audio, {} threads\n", run.clips, run.words,
                        run.seconds, run.threads);
  if (std::ranges::any_of(rows, &Measured::published))
    text += fmt::format("published: {}\n", run.wer_source);
  return text;
}

}  // namespace headroom::evaluation
