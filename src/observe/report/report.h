// Findings as a document: JSON (docs/report.schema.json), Markdown that reads well in a terminal, a
// page of text, and one HTML file without network access. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "observe/analyze/analyze.h"

namespace headroom::report {

/// What all formats are made of. Everything outlives the call.
struct Report {
  const analyze::Evidence& evidence;
  const analyze::Findings& findings;
  analyze::TimeZone zone;
  std::string title = "Memory report";
};

/// Times in UTC ("2025-10-30T20:20:00.000Z"), sizes in bytes, lengths in seconds.
nlohmann::ordered_json ToJson(const Report& report);
std::string ToMarkdown(const Report& report);
/// One screen: what happened, first cause, runner-up, what to do.
std::string ToText(const Report& report);
std::string ToHtml(const Report& report);
/// `headroom why TIME`: what was going on then, the first cause, the runner-up, what would decide.
std::string Why(const Report& report, analyze::Instant at);

/// "2025-10-30T20:20:00.000Z"
std::string IsoTime(analyze::Instant at);

}  // namespace headroom::report
