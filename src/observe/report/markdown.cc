#include <fmt/format.h>

#include "observe/report/words.h"

namespace headroom::report {
namespace {

using analyze::Findings;
using analyze::FormatLength;
using analyze::Statement;

class Page {
 public:
  explicit Page(const Report& report) : report_(report), findings_(report.findings) {}

  std::string Write() {
    Head();
    Timeline();
    Peaks();
    Errors();
    Causes();
    Model();
    Leaks();
    Zones();
    Recommendations();
    Risks();
    Sources();
    return std::move(text_);
  }

 private:
  void Line(std::string_view line = "") { text_ += line, text_ += '\n'; }
  void Title(std::string_view title) { Line(), Line(fmt::format("## {}", title)), Line(); }
  void Bullet(const Statement& statement) {
    Line(fmt::format("- {}{}", statement.text, Basis(report_, statement)));
  }
  std::string At(analyze::Instant at) const { return FormatTime(at, report_.zone); }
  std::string Clock(analyze::Instant at) const { return FormatClock(at, report_.zone); }

  void Head() {
    Line(fmt::format("# {}{}", report_.title, findings_.unit.empty() ? "" : ": " + findings_.unit));
    Line();
    Line(fmt::format("**Status: {}**  ", findings_.status));
    Line(fmt::format("Period: {}  ", Period(report_)));
    Line(
        "Every statement is measured (a line says it), derived (computed from such lines) or "
        "inferred (a judgement).");
    Title("Summary");
    for (const Statement& statement : findings_.summary) Bullet(statement);
    if (!findings_.missing.empty()) {
      Line();
      Line("Not in the record, so nothing is said about it:");
      Line();
      for (const std::string& missing : findings_.missing) Line("- " + missing);
    }
  }

  void Timeline() {
    if (findings_.phases.empty()) return;
    Title("1. Timeline");
    std::vector<std::vector<std::string>> rows = {
        {"phase", "from", "length", "levels", "began with"}};
    for (const analyze::Phase& phase : findings_.phases) {
      std::string levels;
      for (const analyze::Level& level : phase.levels) {
        const analyze::Gauge& gauge = findings_.gauges[level.gauge];
        const bool moves = std::abs(level.last - level.first) > 0.05 * std::max(level.median, 1.0);
        levels += fmt::format("{}{} {}", levels.empty() ? "" : ", ",
                              gauge.name.substr(0, gauge.name.find(' ')),
                              moves ? Say(gauge, level.first) + " → " + Say(gauge, level.last)
                                    : Say(gauge, level.median));
      }
      rows.push_back({std::string(Name(phase.kind)), At(phase.from),
                      FormatLength(phase.to - phase.from), levels, phase.began_by.text});
    }
    text_ += Table(rows);
  }

  void Peaks() {
    if (findings_.gauges.empty()) return;
    Title("2. Peaks and who held the memory");
    for (const analyze::Gauge& gauge : findings_.gauges) {
      if (gauge.peak <= gauge.baseline * 1.02) {
        Line(fmt::format("- {}: no peak; {} all the time{}", gauge.name, Say(gauge, gauge.baseline),
                         Basis(report_, {"", analyze::Basis::kMeasured, {gauge.baseline_from}})));
        continue;
      }
      Line(fmt::format(
          "- {}: {} at {}{}, {}the baseline is {}{}", gauge.name, Say(gauge, gauge.peak),
          At(gauge.peak_at), gauge.peak_untimed ? " (reported then, reached before)" : "",
          gauge.baseline > 1e6
              ? fmt::format("{:.1f} times as much as calm; ", gauge.peak / gauge.baseline)
              : "",
          Say(gauge, gauge.baseline),
          Basis(report_, {"", analyze::Basis::kMeasured, {gauge.peak_from}})));
      for (const Statement& statement : gauge.before_peak)
        Line(fmt::format("  - {}{}", statement.text, Basis(report_, statement)));
    }
    for (const analyze::Breakdown& breakdown : findings_.breakdowns) {
      Line();
      Line(fmt::format("{}, {}:", breakdown.title, At(breakdown.at)));
      Line();
      const bool gpu = breakdown.title.starts_with("VRAM");
      const auto size = [&](double bytes) {
        return gpu ? analyze::GpuSize(bytes) : analyze::Size(bytes);
      };
      const auto share = [&](double bytes) {
        return fmt::format("{:.1f} %", 100 * bytes / std::max(breakdown.whole, 1.0));
      };
      std::vector<std::vector<std::string>> rows = {{"owner", "size", "share", ""}};
      for (const analyze::Part& part : breakdown.parts)
        rows.push_back(
            {part.owner, size(part.bytes), share(part.bytes), std::string(Name(part.basis))});
      if (std::abs(breakdown.unaccounted) > 0.005 * breakdown.whole)
        rows.push_back(
            {breakdown.unaccounted > 0 ? "unaccounted: no owner is known" : "counted twice",
             size(std::abs(breakdown.unaccounted)), share(std::abs(breakdown.unaccounted)),
             "derived"});
      rows.push_back({"together", size(breakdown.whole), "", "measured"});
      text_ += Table(rows);
    }
  }

  void Errors() {
    Title("3. Errors");
    if (findings_.errors == 0) {
      Line("None that the error packs know.");
      return;
    }
    std::vector<std::vector<std::string>> rows = {{"error", "code", "count", "first", "meaning"}};
    for (const analyze::BurstPart& part : findings_.error_types) {
      const analyze::EventType& type = report_.evidence.types()[part.type];
      rows.push_back(
          {type.name, type.code, std::to_string(part.count), At(part.first), type.meaning});
      if (rows.size() > 20) break;
    }
    text_ += Table(rows);
    for (const analyze::Burst& burst : findings_.bursts) {
      Line();
      Line(fmt::format(
          "Burst from {} to {}: {} errors in {}, {:.1f} a second, {} in the worst second ({}), {} "
          "in the first four seconds.{}",
          At(burst.first), Clock(burst.last), burst.count, FormatLength(burst.last - burst.first),
          burst.rate, burst.peak_rate, Clock(burst.peak_at), burst.first_seconds,
          Basis(report_, {"", analyze::Basis::kMeasured, {burst.first_from, burst.last_from}})));
      Line(fmt::format(
          "{} of them {} the first of {} sort; {} repeat one that was there already{}. [derived]",
          burst.causes, burst.causes == 1 ? "is" : "are", burst.causes == 1 ? "its" : "their",
          burst.count - burst.causes,
          burst.retries ? fmt::format(" ({} lines speak of retries)", burst.retries) : ""));
      for (const Statement& statement : burst.followed)
        Line(fmt::format("- Then: {}{}", statement.text, Basis(report_, statement)));
    }
  }

  void Causes() {
    if (findings_.hypotheses.empty()) return;
    Title("4. Causes that compete");
    Line(fmt::format("It began at {}. Confidence in the first: {:.0f} % ({}).",
                     At(*findings_.onset), 100 * findings_.confidence,
                     findings_.confidence_because));
    std::size_t shown = 0;
    for (const analyze::Hypothesis& hypothesis : findings_.hypotheses) {
      if (hypothesis.share == 0) continue;
      Line();
      Line(fmt::format("### {}. {}: {:.0f} %", ++shown, hypothesis.title, 100 * hypothesis.share));
      Line();
      for (const auto& [weight, statement] : hypothesis.evidence)
        Line(fmt::format("- {} {:+.1f}: {}{}", weight > 0 ? "for" : "against", weight,
                         statement.text, Basis(report_, statement)));
      Line(fmt::format("- would decide: {}", hypothesis.decide));
    }
    if (shown < findings_.hypotheses.size()) {
      Line();
      Line("### Nothing in the record speaks for");
      Line();
    }
    for (const analyze::Hypothesis& hypothesis : findings_.hypotheses) {
      if (hypothesis.share > 0) continue;
      const std::string against =
          hypothesis.evidence.empty()
              ? ""
              : fmt::format(" ({}{})", hypothesis.evidence.front().second.text,
                            Basis(report_, hypothesis.evidence.front().second));
      Line(fmt::format("- {}{}", hypothesis.title, against));
    }
    if (findings_.consequences.empty()) return;
    Line();
    Line("What followed from it:");
    Line();
    for (const Statement& statement : findings_.consequences) Bullet(statement);
  }

  void Model() {
    if (!findings_.model) return;
    Title("5. Does the model fit?");
    const analyze::ModelFit& fit = *findings_.model;
    Line(fmt::format("**{}: {}**{}", fit.model, Name(fit.fit.fit), Basis(report_, fit.statement)));
    Line();
    Line(fit.statement.text);
    if (fit.advice.empty()) return;
    Line();
    Line("Instead, best first:");
    Line();
    for (std::size_t i = 0; i < fit.advice.size(); ++i)
      Line(fmt::format("{}. {}{}", i + 1, fit.advice[i].text,
                       fit.titles[i].find("Q8_0") != std::string::npos ? " (Q8_0 is INT8)" : ""));
  }

  void Leaks() {
    Title("6. Leaks");
    if (findings_.leaks.empty()) Line("No verdict: nothing was sampled for long enough.");
    for (const analyze::LeakFinding& leak : findings_.leaks)
      Line(fmt::format("- **{}**: {}{}", Name(leak.verdict), leak.statement.text,
                       Basis(report_, leak.statement)));
  }

  void Zones() {
    Title("7. Zones and room");
    std::vector<std::vector<std::string>> rows = {
        {"gauge", "safe", "warning", "danger", "critical", "unknown"}};
    for (const analyze::Gauge& gauge : findings_.gauges) {
      if (!gauge.zoned) continue;
      std::vector<std::string> row = {gauge.name};
      for (const Milliseconds time : gauge.zone_time) {
        const double known = std::max(1.0, static_cast<double>(gauge.known.count()));
        row.push_back(time.count() == 0
                          ? "-"
                          : fmt::format("{} ({})", FormatLength(time),
                                        Percent(100 * static_cast<double>(time.count()) / known)));
      }
      row.push_back(gauge.unknown.count() == 0 ? "-" : FormatLength(gauge.unknown));
      rows.push_back(std::move(row));
    }
    if (rows.size() > 1) {
      text_ += Table(rows);
      Line();
      Line(
          "Exact, from the lengths between readings; gaps count as unknown, not as safe. "
          "[derived]");
      Line();
    }
    for (const analyze::Gauge& gauge : findings_.gauges) {
      if (!gauge.zoned) continue;
      const double whole = gauge.total.value_or(std::max(gauge.thresholds.critical, gauge.peak));
      Line("```");
      Line(fmt::format("{}, of {}", gauge.name, Say(gauge, whole)));
      const auto bar = [&](const char* name, double value, std::string_view zone) {
        Line(fmt::format("{:<9}{} {:>5.1f} %  {} {}", name, Bar(value / whole, 40),
                         100 * value / whole, Say(gauge, value), zone));
      };
      bar("baseline", gauge.baseline, Name(gauge.baseline_zone));
      bar("peak", gauge.peak, Name(gauge.peak_zone));
      bar("safe to", gauge.thresholds.warning, "");
      Line(fmt::format("room left: {} at baseline, {} at the peak",
                       Say(gauge, std::max(0.0, whole - gauge.baseline)),
                       Say(gauge, std::max(0.0, whole - gauge.peak))));
      Line("```");
    }
  }

  void Recommendations() {
    Title("8. What to do");
    if (findings_.recommendations.empty()) Line("Nothing needs to change.");
    std::size_t number = 0;
    for (const analyze::Recommendation& item : findings_.recommendations) {
      Line(fmt::format("{}. **{}**: {}", ++number, item.title, item.why));
      if (item.lines.empty()) continue;
      Line();
      Line(fmt::format("   ```{}", item.file.ends_with(".toml") ? "toml" : "ini"));
      Line(fmt::format("   # {}", item.file));
      for (const std::string& line : item.lines) Line("   " + line);
      Line("   ```");
      Line();
    }
    if (findings_.actions.empty()) return;
    Line();
    Line("Action items:");
    Line();
    for (const std::string& action : findings_.actions) Line("- [ ] " + action);
  }

  void Risks() {
    if (findings_.risks.empty()) return;
    Title("9. Risks");
    std::vector<std::vector<std::string>> rows = {{"risk", "level", "because", "rule"}};
    for (const analyze::Risk& risk : findings_.risks)
      rows.push_back({risk.name, risk.level, risk.because, risk.rule});
    text_ += Table(rows);
  }

  void Sources() {
    Title("10. Evidence");
    std::vector<std::vector<std::string>> rows = {{"source", "format", "lines", "samples", "events",
                                                   "bad", "twice", "unordered", "clock steps",
                                                   "covers"}};
    for (const analyze::Source& source : report_.evidence.sources())
      rows.push_back({source.name, source.format, std::to_string(source.lines),
                      std::to_string(source.samples), std::to_string(source.events),
                      std::to_string(source.bad), std::to_string(source.duplicates),
                      std::to_string(source.unordered), std::to_string(source.clock_steps),
                      source.first ? At(*source.first) + " to " + At(*source.last) : "nothing"});
    text_ += Table(rows);
    for (const analyze::Source& source : report_.evidence.sources()) {
      if (source.zone_assumed)
        Line(fmt::format("- {}: its times name no zone; the one of this report is assumed",
                         source.name));
      for (const std::string& note : source.notes) Line(fmt::format("- {}: {}", source.name, note));
    }
    if (report_.evidence.events_dropped() > 0)
      Line(fmt::format("- {} events were too many to keep", report_.evidence.events_dropped()));
  }

  const Report& report_;
  const Findings& findings_;
  std::string text_;
};

}  // namespace

std::string ToMarkdown(const Report& report) {
  return Page(report).Write();
}

std::string ToText(const Report& report) {
  const Findings& findings = report.findings;
  std::string text = fmt::format("{}{}: {}\n{}\n\n", report.title,
                                 findings.unit.empty() ? "" : " of " + findings.unit,
                                 findings.status, Period(report));
  for (const Statement& statement : findings.summary)
    text += fmt::format("  {}{}\n", statement.text, Basis(report, statement));
  if (findings.hypotheses.size() > 1 && findings.hypotheses[1].share > 0)
    text += fmt::format("  Runner-up: {} ({:.0f} %)\n", findings.hypotheses[1].title,
                        100 * findings.hypotheses[1].share);
  if (!findings.actions.empty()) text += "\nDo:\n";
  for (std::size_t i = 0; i < std::min<std::size_t>(findings.actions.size(), 5); ++i)
    text += fmt::format("  {}. {}\n", i + 1, findings.actions[i]);
  if (!findings.missing.empty()) text += "\nNot recorded:\n";
  for (const std::string& missing : findings.missing) text += "  " + missing + "\n";
  return text;
}

std::string Why(const Report& report, analyze::Instant at) {
  const Findings& findings = report.findings;
  std::string text = fmt::format("{}\n", FormatTime(at, report.zone));
  for (const analyze::Phase& phase : findings.phases) {
    if (at < phase.from || at >= phase.to) continue;
    text += fmt::format("  phase: {}, since {} ({})\n", Name(phase.kind),
                        FormatTime(phase.from, report.zone), phase.began_by.text);
  }
  for (const analyze::Gauge& gauge : findings.gauges) {
    const analyze::Points points = report.evidence.series()[gauge.series].points;
    const analyze::Point* held = HeldAt(points, at, gauge.interval);
    if (!held) {
      text += fmt::format("  {}: not known then\n", gauge.name);
      continue;
    }
    const auto value = static_cast<double>(held->value);
    text += fmt::format(
        "  {}: {}{} [measured: {}]\n", gauge.name, Say(gauge, value),
        gauge.zoned ? fmt::format(", {}", Name(gauge.thresholds.Of(value))) : "",
        report.evidence.Cite({report.evidence.series()[gauge.series].source, held->line}));
  }
  constexpr Milliseconds kAround{120'000};
  std::size_t shown = 0;
  std::string last;
  for (const analyze::Event& event : report.evidence.events()) {
    if (event.at < at - kAround || event.at > at + kAround || shown >= 12) continue;
    const analyze::EventType& type = report.evidence.type(event);
    std::string line =
        fmt::format("{}{} {}", type.name, type.code.empty() ? "" : " " + type.code, type.unit);
    if (line == last) continue;  // a burst is one line
    text += fmt::format("  {} {} [measured: {}]\n", FormatClock(event.at, report.zone), line,
                        report.evidence.Cite(event.from));
    last = std::move(line);
    ++shown;
  }
  if (shown == 0) text += "  nothing was logged within two minutes of it\n";
  if (findings.hypotheses.empty() || findings.hypotheses.front().share == 0)
    return text + "No failure is in the record, so there is no cause to name.\n";
  const Milliseconds apart = std::chrono::abs(at - *findings.onset);
  text += fmt::format("\nThe failure began {} {} this, at {}.\n", analyze::FormatLength(apart),
                      *findings.onset <= at ? "before" : "after",
                      FormatTime(*findings.onset, report.zone));
  const auto cause = [&](const char* rank, const analyze::Hypothesis& hypothesis) {
    text += fmt::format("{}: {} ({:.0f} %)\n", rank, hypothesis.title, 100 * hypothesis.share);
    for (std::size_t i = 0; i < std::min<std::size_t>(hypothesis.evidence.size(), 3); ++i) {
      const auto& [weight, statement] = hypothesis.evidence[i];
      text += fmt::format("  {} {}{}\n", weight > 0 ? "for:    " : "against:", statement.text,
                          Basis(report, statement));
    }
    text += fmt::format("  would decide: {}\n", hypothesis.decide);
  };
  cause("First cause", findings.hypotheses[0]);
  if (findings.hypotheses.size() > 1) cause("Runner-up", findings.hypotheses[1]);
  return text;
}

}  // namespace headroom::report
