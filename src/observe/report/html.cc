// One file: style, script and data are inside it, and a Content-Security-Policy keeps it from
// asking any network for anything.
#include <fmt/format.h>

#include <cmath>

#include "observe/report/page.h"
#include "observe/report/words.h"

namespace headroom::report {
namespace {

using analyze::Findings;
using analyze::FormatLength;
using analyze::Statement;
using nlohmann::ordered_json;

constexpr std::size_t kMostPoints = 1500;  // of a chart

std::string Escape(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '&')
      safe += "&amp;";
    else if (c == '"')
      safe += "&quot;";
    else
      safe += c;
  }
  return safe;
}

// [time, lowest, last, highest] of equal stretches; a null value is a gap.
ordered_json Course(const analyze::Points points, const analyze::Gauge& gauge,
                    const Findings& findings) {
  ordered_json course = ordered_json::array();
  const Milliseconds coarse = std::max(
      Milliseconds(1), (findings.to - findings.from) / static_cast<std::int64_t>(kMostPoints));
  // Around the worst burst finer, for zooming in.
  analyze::Instant near, far;
  Milliseconds fine = coarse;
  if (!findings.bursts.empty()) {
    const analyze::Burst& burst = findings.bursts.front();
    const Milliseconds length = std::max(burst.last - burst.first, Milliseconds(60'000));
    near = burst.first - length;
    far = burst.last + length;
    fine = std::min(coarse,
                    (far - near) / static_cast<std::int64_t>(kMostPoints / 3) + Milliseconds(1));
  }
  const auto bin = [&](const analyze::Point& point) {
    const bool inside = point.at >= near && point.at < far;
    return std::pair(inside, (point.at - findings.from) / (inside ? fine : coarse));
  };
  const Milliseconds gap = analyze::GapLength(gauge.interval);
  for (std::size_t i = 0; i < points.size();) {
    float low = points[i].value, high = low;
    std::size_t end = i;
    for (const auto own = bin(points[i]); end < points.size() && bin(points[end]) == own; ++end) {
      low = std::min(low, points[end].value);
      high = std::max(high, points[end].value);
    }
    const analyze::Point& last = points[end - 1];
    course.push_back({points[i].at.time_since_epoch().count(), std::llround(low),
                      std::llround(last.value), std::llround(high)});
    if (end < points.size() && points[end].at - last.at > gap)
      course.push_back(
          {(last.at + gauge.interval).time_since_epoch().count(), nullptr, nullptr, nullptr});
    i = end;
  }
  return course;
}

ordered_json Data(const Report& report) {
  const Findings& findings = report.findings;
  const auto ms = [](analyze::Instant at) { return at.time_since_epoch().count(); };
  ordered_json data = {
      {"from", ms(findings.from)},
      {"to", ms(findings.to)},
      {"offset", (report.zone.ToLocal(findings.from) - findings.from.time_since_epoch()).count()},
      {"gauges", ordered_json::array()},
      {"phases", ordered_json::array()},
      {"bursts", ordered_json::array()}};
  constexpr std::array<const char*, 3> kKinds = {"vram", "ram", "swap"};
  for (const analyze::Gauge& gauge : findings.gauges) {
    ordered_json thresholds = nullptr;
    if (gauge.zoned)
      thresholds = {{"warning", gauge.thresholds.warning},
                    {"danger", gauge.thresholds.danger},
                    {"critical", gauge.thresholds.critical}};
    data["gauges"].push_back(
        {{"name", gauge.name},
         {"kind", kKinds[static_cast<std::size_t>(gauge.kind)]},
         {"top", gauge.total.value_or(gauge.peak * 1.1)},
         {"borders", thresholds},
         {"points", Course(report.evidence.series()[gauge.series].points, gauge, findings)}});
  }
  for (const analyze::Phase& phase : findings.phases)
    data["phases"].push_back(
        {{"kind", Name(phase.kind)}, {"from", ms(phase.from)}, {"to", ms(phase.to)}});
  for (const analyze::Burst& burst : findings.bursts)
    data["bursts"].push_back(
        {{"from", ms(burst.first)}, {"to", ms(burst.last)}, {"count", burst.count}});
  return data;
}

class Page {
 public:
  explicit Page(const Report& report) : report_(report), findings_(report.findings) {}

  std::string Write() {
    Head();
    Summary();
    Timeline();
    Zones();
    Causes();
    Errors();
    Memory();
    Advice();
    Evidence();
    Tail();
    return std::move(html_);
  }

 private:
  void Add(std::string_view html) { html_ += html, html_ += '\n'; }
  void Title(std::string_view title) { Add(fmt::format("<h2>{}</h2>", Escape(title))); }
  std::string Text(const Statement& statement) const {
    return fmt::format("{} <span class=\"basis\">{}</span>", Escape(statement.text),
                       Escape(Trim(Basis(report_, statement))));
  }
  static std::string_view Trim(std::string_view text) {
    return text.starts_with(" ") ? text.substr(1) : text;
  }
  void List(const std::vector<std::string>& items) {
    Add("<ul>");
    for (const std::string& item : items) Add("<li>" + item + "</li>");
    Add("</ul>");
  }
  void Rows(const std::vector<std::vector<std::string>>& rows) {
    Add("<div class=\"scroll\"><table>");
    for (std::size_t r = 0; r < rows.size(); ++r) {
      std::string row = "<tr>";
      for (const std::string& cell : rows[r])
        row += fmt::format("<{0}>{1}</{0}>", r == 0 ? "th" : "td", Escape(cell));
      Add(row + "</tr>");
    }
    Add("</table></div>");
  }
  std::string At(analyze::Instant at) const { return FormatTime(at, report_.zone); }

  void Head() {
    Add("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    Add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    Add("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">");
    Add("<link rel=\"icon\" href=\"data:,\">");
    Add(fmt::format("<title>{}</title>", Escape(report_.title)));
    Add(fmt::format("<style>\n{}</style></head><body>", kPageStyle));
    Add(fmt::format("<h1>{}{}</h1>", Escape(report_.title),
                    findings_.unit.empty() ? "" : ": " + Escape(findings_.unit)));
    Add(fmt::format("<p><span class=\"status {0}\">{0}</span> <span class=\"soft\">{1}</span></p>",
                    Escape(findings_.status), Escape(Period(report_))));
  }

  void Summary() {
    std::vector<std::string> items;
    for (const Statement& statement : findings_.summary) items.push_back(Text(statement));
    List(items);
    if (findings_.missing.empty()) return;
    Add("<p class=\"soft\">Not in the record, so nothing is said about it:</p>");
    items.clear();
    for (const std::string& missing : findings_.missing) items.push_back(Escape(missing));
    List(items);
  }

  void Timeline() {
    if (findings_.gauges.empty()) return;
    Title("Timeline");
    Add("<div class=\"tools\"><button id=\"in\">Zoom in</button><button id=\"out\">Zoom "
        "out</button><button id=\"all\">All</button><button id=\"event\">The event</button><button "
        "id=\"theme\">Dark or light</button></div>");
    Add("<div id=\"charts\"></div><div id=\"tip\"></div><noscript>The charts need JavaScript; "
        "everything else is below.</noscript>");
    std::vector<std::vector<std::string>> rows = {{"phase", "from", "length", "began with"}};
    for (const analyze::Phase& phase : findings_.phases)
      rows.push_back({std::string(Name(phase.kind)), At(phase.from),
                      FormatLength(phase.to - phase.from), phase.began_by.text});
    Rows(rows);
  }

  void Zones() {
    Title("Zones");
    for (const analyze::Gauge& gauge : findings_.gauges) {
      if (!gauge.zoned || gauge.known.count() == 0) continue;
      Add(fmt::format("<h3>{}</h3><div class=\"zones\">", Escape(gauge.name)));
      std::string words;
      for (std::size_t z = 0; z < 4; ++z) {
        const double percent = 100 * static_cast<double>(gauge.zone_time[z].count()) /
                               static_cast<double>(gauge.known.count());
        const std::string_view name = Name(static_cast<memory::Zone>(z));
        Add(fmt::format("<i class=\"{}\" style=\"width:{:.3f}%\"></i>", name, percent));
        if (percent > 0)
          words += fmt::format("{}{} {} ({})", words.empty() ? "" : ", ", name,
                               FormatLength(gauge.zone_time[z]), Percent(percent));
      }
      Add(fmt::format("</div><p class=\"soft\">{}{}; baseline {}, peak {}{}</p>", Escape(words),
                      gauge.unknown.count() ? ", unknown " + FormatLength(gauge.unknown) : "",
                      Say(gauge, gauge.baseline), Say(gauge, gauge.peak),
                      gauge.total ? " of " + Say(gauge, *gauge.total) : ""));
    }
  }

  void Causes() {
    if (findings_.hypotheses.empty()) return;
    Title("Causes that compete");
    Add(fmt::format(
        "<p>It began at {}. Confidence in the first: {:.0f} %. <span class=\"soft\">{}</span></p>",
        Escape(At(*findings_.onset)), 100 * findings_.confidence,
        Escape(findings_.confidence_because)));
    for (const analyze::Hypothesis& hypothesis : findings_.hypotheses) {
      if (hypothesis.share < 0.005) continue;
      Add(fmt::format("<h3>{}: {:.0f} %</h3><div class=\"belief\" style=\"width:{:.1f}%\"></div>",
                      Escape(hypothesis.title), 100 * hypothesis.share, 100 * hypothesis.share));
      std::vector<std::string> items;
      for (const auto& [weight, statement] : hypothesis.evidence)
        items.push_back(
            fmt::format("{} {:+.1f}: {}", weight > 0 ? "for" : "against", weight, Text(statement)));
      items.push_back("would decide: " + Escape(hypothesis.decide));
      List(items);
    }
    std::vector<std::string> items;
    for (const analyze::Hypothesis& hypothesis : findings_.hypotheses) {
      if (hypothesis.share < 0.005)
        items.push_back(
            Escape(hypothesis.title) +
            (hypothesis.evidence.empty() ? "" : ": " + Text(hypothesis.evidence.front().second)));
    }
    Add("<h3>Hardly or not at all</h3>");
    List(items);
    items.clear();
    for (const Statement& statement : findings_.consequences) items.push_back(Text(statement));
    if (items.empty()) return;
    Add("<h3>What followed from it</h3>");
    List(items);
  }

  void Errors() {
    Title("Errors");
    std::vector<std::vector<std::string>> rows = {{"error", "code", "count", "first", "meaning"}};
    for (std::size_t i = 0; i < std::min<std::size_t>(findings_.error_types.size(), 20); ++i) {
      const analyze::BurstPart& part = findings_.error_types[i];
      const analyze::EventType& type = report_.evidence.types()[part.type];
      rows.push_back(
          {type.name, type.code, std::to_string(part.count), At(part.first), type.meaning});
    }
    if (rows.size() == 1)
      Add("<p>None that the error packs know.</p>");
    else
      Rows(rows);
    for (const analyze::Burst& burst : findings_.bursts)
      Add(
          fmt::format("<p>{} to {}: {} errors in {}, {:.1f} a second, {} in the worst second; {} "
                      "of another sort than those before, {} repeat.</p>",
                      Escape(At(burst.first)), FormatClock(burst.last, report_.zone), burst.count,
                      FormatLength(burst.last - burst.first), burst.rate, burst.peak_rate,
                      burst.causes, burst.count - burst.causes));
  }

  void Memory() {
    Title("Who held the memory");
    for (const analyze::Breakdown& breakdown : findings_.breakdowns) {
      const bool gpu = breakdown.title.starts_with("VRAM");
      const auto size = [&](double bytes) {
        return gpu ? analyze::GpuSize(bytes) : analyze::Size(bytes);
      };
      Add(fmt::format("<h3>{}</h3>", Escape(breakdown.title)));
      std::vector<std::vector<std::string>> rows = {{"owner", "size", "basis"}};
      for (const analyze::Part& part : breakdown.parts)
        rows.push_back({part.owner, size(part.bytes), std::string(Name(part.basis))});
      if (std::abs(breakdown.unaccounted) > 0.005 * breakdown.whole)
        rows.push_back({"unaccounted", size(breakdown.unaccounted), "derived"});
      rows.push_back({"together", size(breakdown.whole), "measured"});
      Rows(rows);
    }
    if (findings_.model)
      Add("<h3>Does the model fit?</h3><p>" + Text(findings_.model->statement) + "</p>");
    Add("<h3>Leaks</h3>");
    std::vector<std::string> items;
    for (const analyze::LeakFinding& leak : findings_.leaks) items.push_back(Text(leak.statement));
    List(items);
  }

  void Advice() {
    Title("What to do");
    for (const analyze::Recommendation& item : findings_.recommendations) {
      Add(fmt::format("<h3>{}</h3><p>{}</p>", Escape(item.title), Escape(item.why)));
      if (item.lines.empty()) continue;
      std::string lines = "# " + item.file + "\n";
      for (const std::string& line : item.lines) lines += line + "\n";
      Add("<pre>" + Escape(lines) + "</pre>");
    }
    std::vector<std::vector<std::string>> rows = {{"risk", "level", "because", "rule"}};
    for (const analyze::Risk& risk : findings_.risks)
      rows.push_back({risk.name, risk.level, risk.because, risk.rule});
    Rows(rows);
  }

  void Evidence() {
    Title("Evidence");
    std::vector<std::vector<std::string>> rows = {{"source", "format", "lines", "samples", "events",
                                                   "bad", "twice", "unordered", "clock steps"}};
    for (const analyze::Source& source : report_.evidence.sources())
      rows.push_back({source.name, source.format, std::to_string(source.lines),
                      std::to_string(source.samples), std::to_string(source.events),
                      std::to_string(source.bad), std::to_string(source.duplicates),
                      std::to_string(source.unordered), std::to_string(source.clock_steps)});
    Rows(rows);
    std::vector<std::string> notes;
    for (const analyze::Source& source : report_.evidence.sources()) {
      for (const std::string& note : source.notes)
        notes.push_back(Escape(source.name + ": " + note));
    }
    List(notes);
    Add("<p class=\"soft\">measured: a line says it. derived: computed from such lines. inferred: "
        "a judgement.</p>");
  }

  void Tail() {
    // "<" would end the element early where a name holds "</script>".
    std::string data = Data(report_).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    for (std::size_t at = 0; (at = data.find('<', at)) != std::string::npos;)
      data.replace(at, 1, "\\u003c");
    Add(fmt::format("<script type=\"application/json\" id=\"data\">{}</script>", data));
    if (!findings_.gauges.empty()) Add(fmt::format("<script>\n{}</script>", kPageScript));
    Add("</body></html>");
  }

  const Report& report_;
  const Findings& findings_;
  std::string html_;
};

}  // namespace

std::string ToHtml(const Report& report) {
  return Page(report).Write();
}

}  // namespace headroom::report
