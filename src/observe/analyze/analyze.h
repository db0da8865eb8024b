// Evidence in, findings out. Pure: reads no clock and no file. docs/report.md has the methods,
// the weights and the rules.
#pragma once

#include "memory/plan.h"
#include "observe/analyze/evidence.h"
#include "observe/analyze/findings.h"
#include "observe/analyze/timestamps.h"

namespace headroom::analyze {

struct AnalyzeOptions {
  memory::Thresholds thresholds;
  memory::FitRules fit;
  std::vector<memory::Plan> plans;    // what could be used instead of the model that was seen
  std::optional<double> gpu;          // bytes, where the evidence does not say
  std::string unit;                   // the service; empty: the one with the errors, or the largest
  TimeZone zone = TimeZone::Local();  // of times in statements
  bool own = false;  // our own service: its policy (zones of RAM and swap, config keys) applies
};

/// `evidence` must be finished.
Findings Analyze(const Evidence& evidence, const AnalyzeOptions& options);

}  // namespace headroom::analyze
