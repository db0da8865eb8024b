#include "observe/analyze/analyze.h"

#include <array>
#include <map>

#include "observe/analyze/passes.h"

namespace headroom::analyze {
namespace {

template <class E, std::size_t N>
std::string_view At(const std::array<std::string_view, N>& names, E value) {
  return names[static_cast<std::size_t>(value)];
}

// The unit that the errors come from, else the owner of the host memory.
std::string Unit(const Context& context) {
  if (!context.options.unit.empty()) return context.options.unit;
  std::map<std::string, std::uint64_t> errors;
  for (const Event& event : context.evidence.events()) {
    const EventType& type = context.evidence.type(event);
    if (type.kind == EventKind::kError && !type.unit.empty()) errors[type.unit] += event.count;
  }
  std::string unit;
  std::uint64_t most = 0;
  for (const auto& [name, count] : errors) {
    if (count > most) most = count, unit = name;
  }
  if (!unit.empty()) return unit;
  if (const Gauge* ram = context.First(GaugeKind::kRam))
    return context.evidence.series()[ram->series].owner;
  return unit;
}

}  // namespace

std::string_view Name(Basis basis) {
  constexpr std::array<std::string_view, 3> kNames = {"measured", "derived", "inferred"};
  return At(kNames, basis);
}

std::string_view Name(PhaseKind kind) {
  constexpr std::array<std::string_view, 7> kNames = {"start-up", "loading",  "steady", "growing",
                                                      "event",    "recovery", "asleep"};
  return At(kNames, kind);
}

std::string_view Name(LeakVerdict verdict) {
  constexpr std::array<std::string_view, 5> kNames = {"no leak", "leak", "plateau", "sawtooth",
                                                      "too short"};
  return At(kNames, verdict);
}

Findings Analyze(const Evidence& evidence, const AnalyzeOptions& options) {
  Findings findings;
  findings.from = evidence.first().value_or(Instant());
  findings.to = evidence.last().value_or(Instant());
  Context context{evidence, options, findings};
  FindGauges(context);
  findings.unit = Unit(context);
  FindBursts(context);
  FindPhases(context);
  FindBaselines(context);
  FindBreakdowns(context);
  FindLeaks(context);
  FindModel(context);
  FindCauses(context);
  FindAdvice(context);
  Summarise(context);
  return findings;
}

}  // namespace headroom::analyze
