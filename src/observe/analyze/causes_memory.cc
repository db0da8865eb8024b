// What the gauges, and the passes before this one, say for and against each explanation.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "observe/analyze/causes.h"

namespace headroom::analyze {

using std::chrono::minutes;

void Causes::GpuMemory() {
  if (!vram_.gauge) return;
  const Gauge& gauge = *vram_.gauge;
  const Citation from{vram_.source, vram_.line};
  if (vram_.at && gauge.total) {
    const double share = *vram_.at / *gauge.total;
    const std::string text =
        fmt::format("{} of {} ({}) were used when it began", GpuSize(*vram_.at),
                    GpuSize(*gauge.total), context_.Share(gauge, *vram_.at));
    if (share >= 0.95)
      Add(kExhausted, 2, text, Basis::kMeasured, {from});
    else if (share >= 0.85)
      Add(kExhausted, 1, text, Basis::kMeasured, {from});
    else if (share < 0.7)
      Add(kExhausted, -2.5, text, Basis::kMeasured, {from});
    if (share < 0.7) Add(kTooLarge, -2, text, Basis::kMeasured, {from});
    if (share < 0.7) Add(kNeighbour, -1.5, text, Basis::kMeasured, {from});
  }
  if (vram_.before && vram_.after && gauge.total) {
    const double change = *vram_.after - *vram_.before;
    if (std::abs(change) < 0.01 * *gauge.total) {
      Add(kExhausted, -1,
          fmt::format("{} did not move when it began ({} before, at most {} after)", gauge.name,
                      GpuSize(*vram_.before), GpuSize(*vram_.after)),
          Basis::kDerived, {from});
    }
  }
  const double calm = static_cast<double>(Calm().count()) / 3.6e6;
  if (calm > 1) {
    const std::string text =
        fmt::format("the same level had been held for {} without an error", FormatLength(Calm()));
    Add(kExhausted, -0.5, text, Basis::kDerived);
    Add(kTooLarge, -0.5, text, Basis::kDerived);
  }
}

void Causes::HostMemory() {
  for (const Course* course : {&ram_, &swap_}) {
    if (!course->gauge || !course->rise) continue;
    const bool first = *course->rise < onset_ - Milliseconds(2000);
    const Gauge& gauge = *course->gauge;
    const Citation from{course->source, course->line};
    if (first) {
      Add(kHost, course == &ram_ ? 1 : 1.5,
          fmt::format("{} began to rise {} before the first error", gauge.name,
                      FormatLength(onset_ - *course->rise)),
          Basis::kDerived, {from});
      if (course == &ram_)
        Add(kBacklog, 1, fmt::format("{} rose before the first error", gauge.name), Basis::kDerived,
            {from});
    } else {
      const std::string text = fmt::format("{} began to rise {} after the first error", gauge.name,
                                           FormatLength(*course->rise - onset_));
      Add(kHost, -1.5, text + ": a consequence, not the cause", Basis::kDerived, {from});
      if (course == &ram_) Add(kBacklog, -1, text, Basis::kDerived, {from});
      consequences_.push_back(
          {fmt::format(
               "{} rose from {} to {}, beginning {} after the first error: the errors filled the "
               "host's memory (work that waits, copies, retries), not the other way round",
               gauge.name, context_.Say(gauge, course->before.value_or(gauge.baseline)),
               context_.Say(gauge, gauge.peak), FormatLength(*course->rise - onset_)),
           Basis::kInferred,
           {gauge.peak_from}});
    }
  }
  for (const Series& series : context_.evidence.series()) {
    if (series.metric == Metric::kPsiFull) {
      for (const Point& point : Between(series.points, onset_ - minutes(5), onset_)) {
        if (point.value < 20) continue;
        Add(kHost, 2,
            fmt::format("pressure: everything stood still for {:.0f} % of ten seconds before the "
                        "first error",
                        static_cast<double>(point.value)),
            Basis::kMeasured, {{series.source, point.line}});
        break;
      }
    }
    if (series.metric == Metric::kHostAvailable) {
      const Points before =
          Between(series.points, onset_ - minutes(15), onset_ + Milliseconds(1000));
      double lowest = 1e18, total = 0;
      std::uint32_t line = 0;
      for (const Point& point : before)
        if (static_cast<double>(point.value) < lowest)
          lowest = static_cast<double>(point.value), line = point.line;
      for (const Series& other : context_.evidence.series())
        if (other.metric == Metric::kHostTotal && !other.points.empty())
          total = static_cast<double>(other.points.back().value);
      if (!before.empty() && total > 0 && lowest < 0.05 * total)
        Add(kHost, 2,
            fmt::format("only {} of the host's {} were available", Size(lowest), Size(total)),
            Basis::kMeasured, {{series.source, line}});
    }
    if (series.metric == Metric::kQueueSeconds) {
      const Points before = Between(series.points, onset_ - minutes(5), onset_);
      if (!before.empty() && before.back().value > 30)
        Add(kBacklog, 2.5,
            fmt::format("{:.0f} s of work were waiting before the first error",
                        static_cast<double>(before.back().value)),
            Basis::kMeasured, {{series.source, before.back().line}});
    }
  }
}

void Causes::Others() {
  const Gauge* gauge = vram_.gauge;
  if (!gauge || !gauge->total) return;
  const std::string& device = context_.evidence.series()[gauge->series].device;
  bool known = false;
  double largest = 0;
  const Series* who = nullptr;
  for (const Series& series : context_.evidence.series()) {
    if (series.metric != Metric::kVramUsed || series.device != device || series.owner.empty())
      continue;
    known = true;
    if (series.owner == "service" ||
        (!findings_.unit.empty() && findings_.unit.starts_with(series.owner)) || IsService(series))
      continue;
    const Points before =
        Between(series.points, onset_ - std::chrono::hours(12), onset_ - minutes(5));
    const Points at = Between(series.points, onset_ - minutes(5), onset_ + minutes(1));
    if (at.empty()) continue;
    double top = 0;
    for (const Point& point : at) top = std::max(top, static_cast<double>(point.value));
    // From its level when the record, or the last half day, began; a program that came later had
    // none.
    const bool late = before.empty() || before.front().at > findings_.from + minutes(5);
    const double growth =
        top - (late ? 0 : MedianOf(before.first(std::max<std::size_t>(1, before.size() / 20))));
    if (growth > largest) largest = growth, who = &series;
  }
  if (who && largest > 0.05 * *gauge->total) {
    const double weight = largest > 0.15 * *gauge->total ? 3 : 1.5;
    Add(kNeighbour, weight,
        fmt::format("{} took {} more of the GPU before it", who->owner, GpuSize(largest)),
        Basis::kMeasured, {{who->source, who->points.front().line}});
    Add(kTooLarge, -1, "it was another program that filled the GPU", Basis::kInferred);
  } else if (known) {
    Add(kNeighbour, -2, "no other program's memory on the GPU grew before it", Basis::kMeasured);
  }
}

// The owner that holds the most at the baseline is the service.
bool Causes::IsService(const Series& series) const {
  if (series.owner == "others") return false;
  for (const Series& other : context_.evidence.series()) {
    if (other.metric == Metric::kVramUsed && other.device == series.device &&
        !other.owner.empty() && !other.points.empty() && !series.points.empty() &&
        other.points.front().value > series.points.front().value)
      return false;
  }
  return true;
}

void Causes::Leaks() {
  bool judged = false;
  for (const LeakFinding& leak : findings_.leaks) {
    if (leak.verdict == LeakVerdict::kTooShort) continue;
    judged = true;
    if (leak.verdict != LeakVerdict::kLeak || !leak.owner.empty()) continue;
    const Gauge& gauge = findings_.gauges[leak.gauge];
    const double weight = gauge.kind == GaugeKind::kVram ? 3.5 : 2;
    Add(kLeak, weight, leak.statement.text, Basis::kDerived, leak.statement.from);
    if (gauge.kind == GaugeKind::kVram)
      Add(kTooLarge, -2, "the level grew, so it was not the model's size", Basis::kInferred);
    if (gauge.kind == GaugeKind::kRam) Add(kHost, 0.5, "the host's memory leaked", Basis::kDerived);
    return;
  }
  if (judged)
    Add(kLeak, -3, "no gauge grew in any calm phase that is long enough for a verdict",
        Basis::kDerived);
}

void Causes::Model() {
  if (!findings_.model) return;
  const memory::Fit fit = findings_.model->fit.fit;
  if (fit == memory::Fit::kUnsafe)
    Add(kTooLarge, 1.5, findings_.model->statement.text, Basis::kDerived,
        findings_.model->statement.from);
  if (fit == memory::Fit::kSafe)
    Add(kTooLarge, -2.5, findings_.model->statement.text, Basis::kDerived,
        findings_.model->statement.from);
}

// The longest calm phase before the onset.
Milliseconds Causes::Calm() const {
  Milliseconds calm{};
  for (const Phase& phase : findings_.phases) {
    if (phase.kind == PhaseKind::kSteady && phase.from < onset_)
      calm = std::max(calm, std::min(onset_, phase.to) - phase.from);
  }
  return calm;
}

}  // namespace headroom::analyze
