#include "observe/report/command.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

#include "base/dirs.h"
#include "base/file.h"
#include "base/text.h"
#include "observe/analyze/analyze.h"
#include "observe/analyze/flight_record.h"
#include "observe/analyze/reader.h"
#include "observe/report/bundle.h"
#include "observe/report/claims.h"
#include "observe/report/collect.h"
#include "observe/report/diff.h"
#include "observe/report/gate.h"
#include "observe/report/report.h"

namespace headroom::report {
namespace {

namespace fs = std::filesystem;
using analyze::Instant;

struct Options {
  std::vector<std::string> inputs, maps, packs;
  std::string since, from, to, unit, zone, start, boot, gpu, format = "md", output, fail_on, claims,
                                                             title = "Memory report";
  bool zones = false;         // our own zones of RAM and swap for another service
  std::string at;             // why
  std::string before, after;  // diff
};

// A zone's name becomes libc's zone for this process; anything else is an offset.
Result<analyze::TimeZone> Zone(const std::string& text) {
  if (text.find('/') != std::string::npos) {
    const fs::path file = fs::path("/usr/share/zoneinfo") / text;
    if (text.find("..") != std::string::npos || ::access(file.c_str(), R_OK) != 0)
      return Fail(Errc::kInvalid, "--zone {}: no such time zone", Printable(text));
    ::setenv("TZ", text.c_str(), 1);
    ::tzset();
    return analyze::TimeZone::Local();
  }
  return analyze::TimeZone::Parse(text);
}

Result<std::optional<Instant>> Time(const std::string& text, const char* option,
                                    const analyze::TimeZone& zone) {
  if (text.empty()) return std::optional<Instant>();
  const Instant now = std::chrono::floor<Milliseconds>(SystemClock().WallNow());
  const auto parsed = analyze::ParseTime(text, zone, now);
  if (parsed && parsed->length == text.size()) return std::optional(parsed->at);
  // A date, or a time of today.
  if (const auto midnight = analyze::ParseTime(text + " 00:00:00", zone, now);
      midnight && midnight->length == text.size() + 9)
    return std::optional(midnight->at);
  const std::string today = analyze::FormatTime(now, zone).substr(0, 11) + text;
  if (const auto clock = analyze::ParseTime(today, zone, now);
      clock && clock->length == today.size())
    return std::optional(clock->at);
  return Fail(Errc::kInvalid, "{} {}: not a time; write for example \"2025-10-31 07:14:57\"",
              option, Printable(text));
}

struct Loaded {
  analyze::Evidence evidence;
  analyze::AnalyzeOptions analyze;
  std::vector<std::string> missing;  // what was looked for on this machine and is not there

  analyze::Findings Analyze() const {
    analyze::Findings findings = analyze::Analyze(evidence, analyze);
    findings.missing.insert(findings.missing.begin(), missing.begin(), missing.end());
    return findings;
  }
};

// The unit's records by `headroom watch` and what the machine still has, or the service's own
// record.
Result<> WithoutInput(const Options& options, const analyze::ReadOptions& read, Loaded& loaded) {
  if (options.unit.empty()) {
    const fs::path own = analyze::OwnFlightRecord();
    if (!analyze::IsFlightRecord(own))
      return Fail(Errc::kNotFound,
                  "{}: no flight record; the service writes it while it runs. Name other files "
                  "with --input, or a service with --unit",
                  own.string());
    loaded.analyze.own = true;
    return analyze::ReadFlightRecord(own, read, loaded.evidence);
  }
  bool recorded = false;
  for (const char* ending : {".db", ".service.db"}) {
    const fs::path record = StateDir() / "watch" / (options.unit + ending);
    if (!analyze::IsFlightRecord(record)) continue;
    TRY(analyze::ReadFlightRecord(record, read, loaded.evidence));
    recorded = true;
  }
  if (!recorded)
    loaded.missing.push_back(fmt::format(
        "a record of {0}: headroom watch {0} makes one from now on", Printable(options.unit)));
  for (std::string& line : Collect(options.unit, read.from, read.to, read, loaded.evidence))
    loaded.missing.push_back(std::move(line));
  return {};
}

Result<std::unique_ptr<Loaded>> Load(const Options& options) {
  auto loaded = std::make_unique<Loaded>();
  analyze::ReadOptions read;
  TRY_ASSIGN(read.zone, Zone(options.zone));
  TRY_ASSIGN(read.from, Time(options.from, "--from", read.zone));
  TRY_ASSIGN(read.to, Time(options.to, "--to", read.zone));
  TRY_ASSIGN(read.start, Time(options.start, "--start", read.zone));
  TRY_ASSIGN(read.boot, Time(options.boot, "--boot", read.zone));
  if (!options.since.empty()) {
    TRY_ASSIGN(const Milliseconds length, analyze::ParseLength(options.since));
    read.from = std::chrono::floor<Milliseconds>(SystemClock().WallNow()) - length;
  }
  for (const std::string& map : options.maps) {
    TRY_ASSIGN(analyze::Mapping mapping, analyze::ParseMapping(map));
    read.mappings.push_back(std::move(mapping));
  }
  read.unit = options.unit;
  // The user's own patterns win over the shipped ones.
  std::vector<fs::path> folders(options.packs.begin(), options.packs.end());
  folders.push_back(ConfigDir() / "errors");
  TRY_ASSIGN(const fs::path shipped, FindShared("errors"));
  folders.push_back(shipped);
  TRY_ASSIGN(analyze::Packs packs, analyze::Packs::Load(folders));
  read.packs = &packs;

  if (!options.gpu.empty()) {
    TRY_ASSIGN(const Bytes gpu, ParseBytes(options.gpu));
    loaded->analyze.gpu = static_cast<double>(gpu.n);
  }
  for (const std::string& input : options.inputs) {
    if (input != "-" && analyze::IsFlightRecord(input)) {
      TRY(analyze::ReadFlightRecord(input, read, loaded->evidence));
    } else {
      TRY(analyze::ReadEvidence(fs::path(input), read, loaded->evidence));
    }
  }
  if (options.inputs.empty()) TRY(WithoutInput(options, read, *loaded));
  loaded->evidence.Finish();
  if (!loaded->evidence.first()) {
    std::string why;
    for (const std::string& missing : loaded->missing) why += "; " + missing;
    if (!loaded->missing.empty())
      return Fail(Errc::kNotFound, "nothing is known of {}: {}", Printable(options.unit),
                  why.substr(2));
    for (const analyze::Source& source : loaded->evidence.sources()) {
      for (const std::string& note : source.notes)
        why += fmt::format("; {}: {}", source.name, note);
    }
    return Fail(Errc::kCorrupt, "no time-stamped memory reading and no known event in the input{}",
                why);
  }
  loaded->analyze.own = loaded->analyze.own || options.zones;
  loaded->analyze.unit = options.unit;
  loaded->analyze.zone = read.zone;
  return loaded;
}

Result<> Write(const std::string& path, std::string_view text) {
  if (path.empty() || path == "-") return WriteAll(STDOUT_FILENO, text);
  return WriteFileAtomic(path, text);
}

Result<int> RunReport(const Options& options) {
  if (options.format != "md" && options.format != "html" && options.format != "json" &&
      options.format != "text")
    return Fail(Errc::kInvalid, "--format {}: one of md, html, json, text",
                Printable(options.format));
  std::vector<Condition> conditions;
  if (!options.fail_on.empty()) {
    TRY_ASSIGN(conditions, ParseConditions(options.fail_on));
  }
  TRY_ASSIGN(const std::unique_ptr<Loaded> loaded, Load(options));
  const analyze::Findings findings = loaded->Analyze();
  const Report report{loaded->evidence, findings, loaded->analyze.zone, options.title};
  nlohmann::ordered_json claims;
  if (!options.claims.empty()) {
    TRY_ASSIGN(const std::string toml, ReadFile(options.claims, MiB(1)));
    TRY_ASSIGN(claims, CheckClaims(toml, options.claims, ToJson(report)));
  }
  std::string text;
  if (options.format == "json") {
    nlohmann::ordered_json json = ToJson(report);
    if (!claims.is_null()) json["claims"] = claims;
    text = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  } else if (options.format == "html") {
    text = ToHtml(report);
  } else {
    text = options.format == "text" ? ToText(report) : ToMarkdown(report);
    if (!claims.is_null()) text += ClaimsMarkdown(claims);
  }
  TRY(Write(options.output, text));
  const std::vector<std::string> holding = Holding(conditions, findings);
  for (const std::string& line : holding) fmt::print(stderr, "headroom: {}\n", line);
  return holding.empty() ? 0 : kConditionHolds;
}

Result<int> RunWhy(const Options& options) {
  TRY_ASSIGN(const std::unique_ptr<Loaded> loaded, Load(options));
  TRY_ASSIGN(const auto at, Time(options.at, "TIME", loaded->analyze.zone));
  const analyze::Findings findings = loaded->Analyze();
  Instant when = *at;
  // A bare clock time means the one inside the record.
  if (options.at.size() <= 8 && options.at.find(':') != std::string::npos) {
    while (when > findings.to) when -= std::chrono::hours(24);
  }
  TRY(Write("", Why({loaded->evidence, findings, loaded->analyze.zone}, when)));
  return 0;
}

Result<int> RunDiff(const Options& options) {
  const auto read = [&](const std::string& path) -> Result<nlohmann::ordered_json> {
    if (analyze::IsFlightRecord(path)) {
      Options one = options;
      one.inputs = {path};
      TRY_ASSIGN(const std::unique_ptr<Loaded> loaded, Load(one));
      const analyze::Findings findings = loaded->Analyze();
      return ToJson({loaded->evidence, findings, loaded->analyze.zone, options.title});
    }
    TRY_ASSIGN(const std::string text, ReadFile(path, MiB(64)));
    nlohmann::ordered_json json = nlohmann::ordered_json::parse(text, nullptr, false);
    if (json.is_discarded())
      return Fail(Errc::kCorrupt, "{}: is not JSON; make it with report --format json", path);
    return json;
  };
  TRY_ASSIGN(const nlohmann::ordered_json before, read(options.before));
  TRY_ASSIGN(const nlohmann::ordered_json after, read(options.after));
  TRY_ASSIGN(const std::string text, Diff(before, after));
  TRY(Write(options.output, text));
  return 0;
}

Result<int> RunBundle(const Options& options) {
  TRY_ASSIGN(const std::unique_ptr<Loaded> loaded, Load(options));
  const analyze::Findings findings = loaded->Analyze();
  const Report report{loaded->evidence, findings, loaded->analyze.zone, "Memory report"};
  TRY(Write(options.output, Bundle(report, FactsOfThisMachine(), Private::OfThisMachine())));
  return 0;
}

void AddInput(CLI::App& command, const std::shared_ptr<Options>& options) {
  command.add_option("-i,--input", options->inputs, "A file of logs or samples, or - (repeatable)");
  command.add_option(
      "--unit", options->unit,
      "The service; without --input what was recorded and what the machine still has");
  command.add_option("--since", options->since,
                     "Only the last so much before now: 90s, 15m, 12h, 7d");
  command.add_option("--from", options->from, "Only from this time on");
  command.add_option("--to", options->to, "Only up to this time");
  command.add_option(
      "--zone", options->zone,
      "Of times that name none: UTC, +02:00, Europe/Berlin (default: this machine's)");
  command.add_option("--start", options->start, "When a table's time of zero was");
  command.add_option("--boot", options->boot, "When the machine of a dmesg was started");
  command.add_option("--card", options->gpu, "The card's memory, where the input does not say");
  command.add_flag(
      "--headroom-zones", options->zones,
      "Judge RAM and swap by Headroom's zones, for a service without limits of its own");
  command.add_option("--map", options->maps, "A column by hand: ram=my_column:MB (repeatable)");
  command.add_option("--errors", options->packs,
                     "A folder with error packs of your own (repeatable)");
}

}  // namespace

void AddReport(CLI::App& command, Action& chosen) {
  const auto options = std::make_shared<Options>();
  AddInput(command, options);
  command.add_option("-f,--format", options->format, "How it is written")
      ->type_name("md|text|html|json");
  command.add_option("-o,--output", options->output, "A file instead of standard output");
  command.add_option("--title", options->title, "The heading");
  command.add_option("--claims", options->claims, "TOML of what others say, to be checked");
  command.add_option("--fail-on", options->fail_on,
                     "Exit with 9 when one holds: leak>1MiB/h,peak>3.2GiB,errors>0");
  command.footer("Formats, columns and methods: docs/report.md.");
  CLI::App* diff = command.add_subcommand(
      "diff", "Compare two periods: reports made with --format json, or records");
  diff->add_option("BEFORE", options->before, "A report in JSON, or a flight record")->required();
  diff->add_option("AFTER", options->after, "A report in JSON, or a flight record")->required();
  diff->add_option("-o,--output", options->output, "A file instead of standard output");
  command.callback([options, diff, &chosen] {
    if (diff->parsed())
      chosen = [options] { return RunDiff(*options); };
    else
      chosen = [options] { return RunReport(*options); };
  });
}

void AddWhy(CLI::App& command, Action& chosen) {
  const auto options = std::make_shared<Options>();
  command
      .add_option("TIME", options->at,
                  "\"2025-10-31 07:14:57\", or 07:14:57 of the record's last day")
      ->required();
  AddInput(command, options);
  command.callback([options, &chosen] { chosen = [options] { return RunWhy(*options); }; });
}

void AddBundle(CLI::App& command, Action& chosen) {
  const auto options = std::make_shared<Options>();
  AddInput(command, options);
  command.add_option("-o,--output", options->output, "A file instead of standard output");
  command.footer("It is plain text: read it before you attach it.");
  command.callback([options, &chosen] { chosen = [options] { return RunBundle(*options); }; });
}

}  // namespace headroom::report
