#include "observe/report/words.h"

#include <fmt/format.h>

namespace headroom::report {

std::string Say(const analyze::Gauge& gauge, double bytes) {
  return gauge.kind == analyze::GaugeKind::kVram ? analyze::GpuSize(bytes) : analyze::Size(bytes);
}

std::string Basis(const Report& report, const analyze::Statement& statement) {
  std::string text(Name(statement.basis));
  std::vector<std::string> cites;
  for (const analyze::Citation& from : statement.from) {
    std::string cite = report.evidence.Cite(from);
    if (cites.size() < 3 && std::find(cites.begin(), cites.end(), cite) == cites.end())
      cites.push_back(std::move(cite));
  }
  for (std::size_t i = 0; i < cites.size(); ++i) text += (i == 0 ? ": " : ", ") + cites[i];
  return " [" + text + "]";
}

std::string Period(const Report& report) {
  const analyze::Findings& findings = report.findings;
  return fmt::format("{} to {} ({})", FormatTime(findings.from, report.zone),
                     FormatTime(findings.to, report.zone),
                     analyze::FormatLength(findings.to - findings.from));
}

std::string Bar(double share, std::size_t width) {
  const auto full =
      static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(width) + 0.5);
  std::string bar;
  for (std::size_t i = 0; i < width; ++i) bar += i < full ? "█" : "░";
  return bar;
}

std::string Percent(double percent) {
  if (percent > 0 && percent < 0.01) return "<0.01 %";
  return fmt::format("{:.2f} %", percent);
}

std::size_t Cells(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string Table(const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return {};
  std::vector<std::vector<std::string>> cells = rows;
  std::vector<std::size_t> widths(rows.front().size(), 3);
  for (auto& row : cells) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      for (std::size_t at = 0; (at = row[i].find('|', at)) != std::string::npos; at += 2)
        row[i].insert(at, "\\");
      widths[i] = std::max(widths[i], Cells(row[i]));
    }
  }
  std::string text;
  for (std::size_t r = 0; r < cells.size(); ++r) {
    for (std::size_t i = 0; i < cells[r].size(); ++i)
      text += "| " + cells[r][i] + std::string(widths[i] - Cells(cells[r][i]) + 1, ' ');
    text += "|\n";
    if (r > 0) continue;
    for (const std::size_t width : widths) text += "|" + std::string(width + 2, '-');
    text += "|\n";
  }
  return text;
}

}  // namespace headroom::report
