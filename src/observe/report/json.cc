#include <fmt/format.h>

#include <cmath>

#include "observe/report/report.h"

namespace headroom::report {
namespace {

using analyze::Citation;
using analyze::Evidence;
using analyze::Statement;
using nlohmann::ordered_json;

double Seconds(Milliseconds length) {
  return static_cast<double>(length.count()) / 1000;
}

// A whole number where it is one.
ordered_json Whole(double bytes) {
  return std::llround(bytes);
}

// Infinite bounds (too few readings) are null.
ordered_json Finite(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

ordered_json Cites(const Evidence& evidence, const std::vector<Citation>& from) {
  ordered_json list = ordered_json::array();
  for (const Citation& citation : from) list.push_back(evidence.Cite(citation));
  return list;
}

ordered_json Json(const Evidence& evidence, const Statement& statement) {
  return {{"text", statement.text},
          {"basis", Name(statement.basis)},
          {"from", Cites(evidence, statement.from)}};
}

ordered_json Json(const Evidence& evidence, const std::vector<Statement>& statements) {
  ordered_json list = ordered_json::array();
  for (const Statement& statement : statements) list.push_back(Json(evidence, statement));
  return list;
}

ordered_json GaugeJson(const Evidence& evidence, const analyze::Gauge& gauge) {
  constexpr std::array<const char*, 3> kKinds = {"vram", "ram", "swap"};
  ordered_json zones = nullptr;
  if (gauge.zoned) {
    zones = {{"borders",
              {{"warning", Whole(gauge.thresholds.warning)},
               {"danger", Whole(gauge.thresholds.danger)},
               {"critical", Whole(gauge.thresholds.critical)}}},
             {"seconds", ordered_json::object()},
             {"percent", ordered_json::object()}};
    for (std::size_t z = 0; z < 4; ++z) {
      const std::string name(Name(static_cast<memory::Zone>(z)));
      zones["seconds"][name] = Seconds(gauge.zone_time[z]);
      zones["percent"][name] =
          gauge.known.count() > 0 ? 100 * Seconds(gauge.zone_time[z]) / Seconds(gauge.known) : 0.0;
    }
    zones["at_baseline"] = Name(gauge.baseline_zone);
    zones["at_peak"] = Name(gauge.peak_zone);
  }
  ordered_json value = {{"name", gauge.name},
                        {"kind", kKinds[static_cast<std::size_t>(gauge.kind)]},
                        {"total", gauge.total ? Whole(*gauge.total) : ordered_json(nullptr)},
                        {"baseline", Whole(gauge.baseline)},
                        {"baseline_percent", nullptr},
                        {"peak", Whole(gauge.peak)},
                        {"peak_percent", nullptr},
                        {"peak_at", IsoTime(gauge.peak_at)},
                        {"peak_told_afterwards", gauge.peak_untimed},
                        {"peak_from", evidence.Cite(gauge.peak_from)},
                        {"before_peak", Json(evidence, gauge.before_peak)},
                        {"last", Whole(gauge.last)},
                        {"interval_s", Seconds(gauge.interval)},
                        {"known_s", Seconds(gauge.known)},
                        {"unknown_s", Seconds(gauge.unknown)},
                        {"zones", zones}};
  if (gauge.total) {
    value["baseline_percent"] = 100 * gauge.baseline / *gauge.total;
    value["peak_percent"] = 100 * gauge.peak / *gauge.total;
  }
  return value;
}

ordered_json PartJson(const Evidence& evidence, const analyze::BurstPart& part) {
  const analyze::EventType& type = evidence.types()[part.type];
  return {{"name", type.name},   {"code", type.code},           {"family", Name(type.family)},
          {"unit", type.unit},   {"meaning", type.meaning},     {"fingerprint", type.fingerprint},
          {"count", part.count}, {"first", IsoTime(part.first)}};
}

ordered_json BurstJson(const Evidence& evidence, const analyze::Burst& burst) {
  ordered_json parts = ordered_json::array();
  for (const auto& part : burst.parts) parts.push_back(PartJson(evidence, part));
  return {{"from", IsoTime(burst.first)},
          {"to", IsoTime(burst.last)},
          {"seconds", Seconds(burst.last - burst.first)},
          {"count", burst.count},
          {"first_four_seconds", burst.first_seconds},
          {"per_second", burst.rate},
          {"worst_second", burst.peak_rate},
          {"worst_second_at", IsoTime(burst.peak_at)},
          {"causes", burst.causes},
          {"repeats", burst.count - burst.causes},
          {"retry_lines", burst.retries},
          {"types", parts},
          {"followed", Json(evidence, burst.followed)},
          {"cites", {evidence.Cite(burst.first_from), evidence.Cite(burst.last_from)}}};
}

ordered_json PhaseJson(const Report& report, const analyze::Phase& phase) {
  ordered_json levels = ordered_json::array();
  for (const analyze::Level& level : phase.levels)
    levels.push_back({{"gauge", report.findings.gauges[level.gauge].name},
                      {"median", Whole(level.median)},
                      {"first", Whole(level.first)},
                      {"last", Whole(level.last)}});
  return {{"kind", Name(phase.kind)},
          {"from", IsoTime(phase.from)},
          {"to", IsoTime(phase.to)},
          {"seconds", Seconds(phase.to - phase.from)},
          {"began_by", Json(report.evidence, phase.began_by)},
          {"levels", levels}};
}

ordered_json LeakJson(const Report& report, const analyze::LeakFinding& leak) {
  return {{"gauge", report.findings.gauges[leak.gauge].name},
          {"from", IsoTime(leak.from)},
          {"to", IsoTime(leak.to)},
          {"verdict", Name(leak.verdict)},
          {"bytes_per_hour", Finite(leak.slope)},
          {"low", Finite(leak.low)},
          {"high", Finite(leak.high)},
          {"p", Finite(leak.p)},
          {"medians", leak.readings},
          {"exhaustion_s", leak.exhaustion ? ordered_json(Seconds(*leak.exhaustion)) : nullptr},
          {"exhaustion_soonest_s",
           leak.exhaustion_soonest ? ordered_json(Seconds(*leak.exhaustion_soonest)) : nullptr},
          {"statement", Json(report.evidence, leak.statement)}};
}

ordered_json CauseJson(const Report& report) {
  const analyze::Findings& findings = report.findings;
  ordered_json list = ordered_json::array();
  for (const analyze::Hypothesis& hypothesis : findings.hypotheses) {
    ordered_json evidence = ordered_json::array();
    for (const auto& [weight, statement] : hypothesis.evidence) {
      ordered_json item = Json(report.evidence, statement);
      item["weight"] = weight;
      evidence.push_back(std::move(item));
    }
    list.push_back({{"id", hypothesis.id},
                    {"title", hypothesis.title},
                    {"score", hypothesis.score},
                    {"share", hypothesis.share},
                    {"evidence", evidence},
                    {"would_decide", hypothesis.decide}});
  }
  return {{"onset", findings.onset ? ordered_json(IsoTime(*findings.onset)) : nullptr},
          {"confidence", findings.confidence},
          {"because", findings.confidence_because},
          {"hypotheses", list},
          {"consequences", Json(report.evidence, findings.consequences)}};
}

ordered_json ModelJson(const Report& report) {
  if (!report.findings.model) return nullptr;
  const analyze::ModelFit& fit = *report.findings.model;
  ordered_json advice = ordered_json::array();
  for (std::size_t i = 0; i < fit.advice.size(); ++i)
    advice.push_back({{"use", fit.titles[i]},
                      {"fit", Name(fit.advice[i].fit.fit)},
                      {"text", fit.advice[i].text}});
  return {{"name", fit.model},
          {"fit", Name(fit.fit.fit)},
          {"resident", fit.fit.resident.n},
          {"resident_percent", fit.fit.resident_percent},
          {"statement", Json(report.evidence, fit.statement)},
          {"advice", advice}};
}

ordered_json SourceJson(const analyze::Source& source) {
  return {{"name", source.name},
          {"format", source.format},
          {"lines", source.lines},
          {"samples", source.samples},
          {"events", source.events},
          {"bad", source.bad},
          {"duplicates", source.duplicates},
          {"unordered", source.unordered},
          {"without_time", source.timeless},
          {"clock_steps", source.clock_steps},
          {"from", source.first ? ordered_json(IsoTime(*source.first)) : nullptr},
          {"to", source.last ? ordered_json(IsoTime(*source.last)) : nullptr},
          {"suppressed", source.suppressed},
          {"zone_assumed", source.zone_assumed},
          {"kernel", source.kernel},
          {"notes", source.notes}};
}

}  // namespace

std::string IsoTime(analyze::Instant at) {
  const analyze::TimeZone utc = analyze::TimeZone::Fixed(Milliseconds(0));
  std::string text = FormatTime(at, utc, true);
  text[10] = 'T';
  return text + "Z";
}

nlohmann::ordered_json ToJson(const Report& report) {
  const analyze::Findings& findings = report.findings;
  const Evidence& evidence = report.evidence;
  ordered_json value = {{"schema", 1},
                        {"title", report.title},
                        {"period",
                         {{"from", IsoTime(findings.from)},
                          {"to", IsoTime(findings.to)},
                          {"seconds", Seconds(findings.to - findings.from)}}},
                        {"unit", findings.unit},
                        {"status", findings.status},
                        {"summary", Json(evidence, findings.summary)}};
  const auto list = [&](const char* key, const auto& items, auto&& convert) {
    value[key] = ordered_json::array();
    for (const auto& item : items) value[key].push_back(convert(item));
  };
  list("phases", findings.phases, [&](const auto& phase) { return PhaseJson(report, phase); });
  list("gauges", findings.gauges, [&](const auto& gauge) { return GaugeJson(evidence, gauge); });
  list("breakdowns", findings.breakdowns, [&](const analyze::Breakdown& breakdown) {
    ordered_json parts = ordered_json::array();
    for (const analyze::Part& part : breakdown.parts)
      parts.push_back(
          {{"owner", part.owner}, {"bytes", Whole(part.bytes)}, {"basis", Name(part.basis)}});
    return ordered_json{{"title", breakdown.title},
                        {"at", IsoTime(breakdown.at)},
                        {"bytes", Whole(breakdown.whole)},
                        {"parts", parts},
                        {"unaccounted", Whole(breakdown.unaccounted)}};
  });
  ordered_json types = ordered_json::array(), bursts = ordered_json::array();
  for (const auto& part : findings.error_types) types.push_back(PartJson(evidence, part));
  for (const auto& burst : findings.bursts) bursts.push_back(BurstJson(evidence, burst));
  value["kills"] = findings.kills;
  list("events", findings.events, [&](const analyze::Happening& event) {
    const analyze::EventType& type = evidence.types()[event.type];
    return ordered_json{
        {"at", IsoTime(event.at)},     {"kind", Name(type.kind)},
        {"family", Name(type.family)}, {"name", type.name},
        {"code", type.code},           {"unit", type.unit},
        {"subject", type.subject},     {"statement", Json(evidence, event.statement)}};
  });
  value["errors"] = {{"count", findings.errors}, {"types", types}, {"bursts", bursts}};
  list("leaks", findings.leaks, [&](const auto& leak) { return LeakJson(report, leak); });
  value["cause"] = CauseJson(report);
  value["model"] = ModelJson(report);
  list("risks", findings.risks, [](const analyze::Risk& risk) {
    return ordered_json{
        {"name", risk.name}, {"level", risk.level}, {"because", risk.because}, {"rule", risk.rule}};
  });
  list("recommendations", findings.recommendations, [](const analyze::Recommendation& item) {
    return ordered_json{
        {"title", item.title}, {"why", item.why}, {"file", item.file}, {"lines", item.lines}};
  });
  value["actions"] = findings.actions;
  value["missing"] = findings.missing;
  list("sources", evidence.sources(), SourceJson);
  return value;
}

}  // namespace headroom::report
