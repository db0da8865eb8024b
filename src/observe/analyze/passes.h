// The passes of the analysis, in the order they run; each reads what those before it found. Private
// to src/analyze.
#pragma once

#include "observe/analyze/analyze.h"
#include "observe/analyze/timeline.h"

namespace headroom::analyze {

inline constexpr Milliseconds kBurstGap{30'000};
inline constexpr std::size_t kMostHappenings = 500;
inline constexpr std::uint64_t kBurstLeast = 5;  // fewer errors are single ones

struct Context {
  const Evidence& evidence;
  const AnalyzeOptions& options;
  Findings& findings;

  Points points(const Gauge& gauge) const { return evidence.series()[gauge.series].points; }
  std::string Clock(Instant at) const { return FormatClock(at, options.zone); }
  std::string Say(const Gauge& gauge, double value) const {
    return gauge.kind == GaugeKind::kVram ? GpuSize(value) : Size(value);
  }
  /// "91.3 %" of the GPU, or empty.
  std::string Share(const Gauge& gauge, double value) const;
  const Gauge* First(GaugeKind kind) const;
  /// Of the kind, the first in time; nullptr: none.
  const Event* Next(EventKind kind, Instant from, Instant to) const;
  const Event* Last(EventKind kind, Instant from, Instant to) const;
  /// "the machine woke up at 07:14:50 (PM …)": for statements.
  std::string Describe(const Event& event) const;
  /// Whether the kernel's lines around the onset are in the record: absence of Xid and sleep means
  /// something.
  bool kernel_covered() const;
  /// What one line said of a metric: of a refused allocation, of a kill.
  std::optional<double> Figure(Metric metric, const Citation& from) const;
};

void FindGauges(Context& context);      // which quantities, their zone times, peaks
void FindBursts(Context& context);      // errors in clusters, and the onset
void FindPhases(Context& context);      // needs bursts
void FindBaselines(Context& context);   // from the phases; what came before each peak
void FindBreakdowns(Context& context);  // owners at baseline and at peak
void FindLeaks(Context& context);       // in each long phase
void FindModel(Context& context);       // what was loaded, and whether it fits
void FindCauses(Context& context);      // needs all of the above
void FindAdvice(Context& context);      // risks, recommendations, actions, what is missing
void Summarise(Context& context);       // status and key statements

}  // namespace headroom::analyze
