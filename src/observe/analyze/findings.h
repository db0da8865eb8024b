// What the analysis found, as values and as statements for a person. Pure data; src/report shows
// it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "memory/fit.h"
#include "memory/zones.h"
#include "observe/analyze/evidence.h"

namespace headroom::analyze {

/// How a statement is known.
enum class Basis {
  kMeasured,  // a line of the input says it
  kDerived,   // computed from measured numbers alone
  kInferred,  // a judgement, which further evidence could overturn
};
std::string_view Name(Basis basis);  // "measured", …

struct Statement {
  std::string text;
  Basis basis = Basis::kMeasured;
  std::vector<Citation> from;
};

enum class GaugeKind { kVram, kRam, kSwap };

/// One quantity that is followed through the whole report. Sizes in bytes.
struct Gauge {
  GaugeKind kind = GaugeKind::kVram;
  std::string name;  // "VRAM of GPU 0", "RAM of swictation"
  std::size_t series = 0;
  std::optional<double> total;  // VRAM: of the GPU
  memory::ZoneLevels<double> thresholds;
  bool zoned = false;  // false: no thresholds, because the GPU's size is not known

  Milliseconds interval{};                        // typical, between two readings
  Milliseconds known{};                           // how much time the readings cover
  Milliseconds unknown{};                         // gaps: counted nowhere
  std::vector<std::pair<Instant, Instant>> gaps;  // the longest, at most 100
  std::array<Milliseconds, 4> zone_time{};

  double baseline = 0, peak = 0, last = 0;
  Instant peak_at;
  Citation peak_from, baseline_from;
  bool peak_untimed = false;  // reported afterwards, e.g. by systemd
  memory::Zone baseline_zone{}, peak_zone{};
  std::vector<Statement> before_peak;
};

enum class PhaseKind { kStartUp, kLoading, kSteady, kGrowing, kEvent, kRecovery, kAsleep };
std::string_view Name(PhaseKind kind);  // "start-up", …

struct Level {
  std::size_t gauge = 0;
  double median = 0, first = 0, last = 0;
};

struct Phase {
  PhaseKind kind = PhaseKind::kSteady;
  Instant from, to;
  Statement began_by;
  std::vector<Level> levels;
};

struct BurstPart {
  std::uint32_t type = 0;
  std::uint64_t count = 0;
  Instant first;
};

/// Errors that follow each other within kBurstGap.
struct Burst {
  Instant first, last;
  std::uint64_t count = 0, first_seconds = 0;  // of errors; in the first four seconds
  std::uint64_t retries = 0;                   // lines in which the program says it tries again
  double rate = 0;                             // a second, mean
  std::uint64_t peak_rate = 0;                 // in the worst second
  Instant peak_at;
  std::uint64_t causes = 0;      // first of their sort; all others repeat one of these
  std::vector<BurstPart> parts;  // most frequent first
  std::vector<Statement> followed;
  Citation first_from, last_from;
};

struct Part {
  std::string owner;
  double bytes = 0;
  Basis basis = Basis::kMeasured;
};
struct Breakdown {
  std::string title;  // "VRAM of GPU 0 at baseline"
  Instant at;
  double whole = 0;
  std::vector<Part> parts;  // largest first; the last is "unaccounted" where something is
  double unaccounted = 0;
};

enum class LeakVerdict { kNoLeak, kLeak, kPlateau, kSawtooth, kTooShort };
std::string_view Name(LeakVerdict verdict);  // "no leak", …

struct LeakFinding {
  std::size_t gauge = 0;
  Instant from, to;
  LeakVerdict verdict = LeakVerdict::kTooShort;
  double slope = 0, low = 0, high = 0;  // bytes an hour, with a 95 % interval
  double p = 1;                         // of the trend test
  std::size_t readings = 0;             // minute medians
  Statement statement;
  std::string owner;  // another program that grew, where it is known
  std::optional<Milliseconds> exhaustion, exhaustion_soonest;  // after the phase's end
};

struct Hypothesis {
  std::string id;     // "suspend-resume"
  std::string title;  // for a person
  double score = 0;   // a sum of the weights in docs/report.md
  double share = 0;   // of belief, all hypotheses and "something else" together 1
  std::vector<std::pair<double, Statement>> evidence;  // weight above zero: for
  std::string decide;                                  // what would decide
};

struct ModelFit {
  std::string model;
  memory::FitResult fit;
  Statement statement;
  std::vector<memory::Advice> advice;
  std::vector<std::string> titles;  // of the advised plans
  double total = 0;
};

struct Risk {
  std::string name, level, because, rule;  // level: LOW, MEDIUM, HIGH, UNKNOWN
};

struct Recommendation {
  std::string title, why;
  std::string file;                // where the lines go
  std::vector<std::string> lines;  // to be pasted
};

/// What happened, for the list: starts, stops, sleeps, kills, resets, and the first error of a
/// sort.
struct Happening {
  std::uint32_t type = 0;
  Instant at;
  Statement statement;
};

struct Findings {
  Instant from, to;
  std::string unit;    // the service spoken of; empty: unknown
  std::string status;  // "INCIDENT", "AT RISK", "HEALTHY", "TOO SHORT"
  std::vector<Statement> summary;
  std::vector<Gauge> gauges;
  std::vector<Phase> phases;
  std::vector<Burst> bursts;
  std::vector<Happening> events;  // by time, at most 500
  std::uint64_t errors = 0, kills = 0;
  std::vector<BurstPart> error_types;  // all errors by sort
  std::vector<Breakdown> breakdowns;
  std::vector<LeakFinding> leaks;
  std::optional<Instant> onset;        // of the incident
  std::vector<Hypothesis> hypotheses;  // best first
  double confidence = 0;               // of the first, 0…1
  std::string confidence_because;
  std::vector<Statement> consequences;
  std::optional<ModelFit> model;
  std::vector<Risk> risks;
  std::vector<Recommendation> recommendations;
  std::vector<std::string> actions, missing;
};

}  // namespace headroom::analyze
