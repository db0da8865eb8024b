// Pieces of text that several formats share. Private to src/report.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "observe/analyze/timeline.h"
#include "observe/report/report.h"

namespace headroom::report {

/// As a gauge is spoken of: MiB for GPUs, MB and GB for the host.
std::string Say(const analyze::Gauge& gauge, double bytes);
/// " [measured: gpu.csv:17]"
std::string Basis(const Report& report, const analyze::Statement& statement);
/// "2025-10-30 20:20:00 to 2025-10-31 07:20:00 (11 h 0 min 0 s)"
std::string Period(const Report& report);
/// A bar of `width` cells for a share of 0…1.
std::string Bar(double share, std::size_t width);
/// "13.20 %"; enough digits to show that a small share is not zero.
std::string Percent(double percent);
/// Columns padded for a terminal and valid as a Markdown table. The first row is the header.
std::string Table(const std::vector<std::vector<std::string>>& rows);
/// Width of UTF-8 text in cells, as if every character took one.
std::size_t Cells(std::string_view text);

}  // namespace headroom::report
