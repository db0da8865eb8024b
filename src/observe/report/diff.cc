#include "observe/report/diff.h"

#include <fmt/format.h>

#include "observe/analyze/timestamps.h"
#include "observe/report/words.h"

namespace headroom::report {
namespace {

using nlohmann::ordered_json;

struct Row {
  std::string name, before, after, change;
};

std::string Size(const ordered_json& gauge, const char* key) {
  const double bytes = gauge.at(key).get<double>();
  return gauge.at("kind") == "vram" ? analyze::GpuSize(bytes) : analyze::Size(bytes);
}

std::string Change(double before, double after) {
  if (before <= 0) return after > 0 ? "new" : "same";
  const double percent = 100 * (after / before - 1);
  if (std::abs(percent) < 1) return "same";
  return fmt::format("{:+.1f} %", percent);
}

const ordered_json* Find(const ordered_json& list, const ordered_json& name) {
  for (const ordered_json& item : list) {
    if (item.at("name") == name) return &item;
  }
  return nullptr;
}

// The worst verdict of a gauge and its slope.
std::pair<std::string, double> Leak(const ordered_json& report, const ordered_json& gauge) {
  std::pair<std::string, double> worst{"too short", 0};
  for (const ordered_json& leak : report.at("leaks")) {
    if (leak.at("gauge") != gauge || leak.at("verdict") == "too short") continue;
    if (leak.at("verdict") == "leak" || worst.first == "too short")
      worst = {leak.at("verdict"),
               leak.at("bytes_per_hour").is_number() ? leak.at("bytes_per_hour").get<double>() : 0};
  }
  return worst;
}

std::string Compare(const ordered_json& before, const ordered_json& after) {
  std::vector<std::vector<std::string>> rows = {{"", "before", "after", "change"}};
  const auto add = [&](std::string name, std::string a, std::string b, std::string change) {
    rows.push_back({std::move(name), std::move(a), std::move(b), std::move(change)});
  };
  const auto length = [](const ordered_json& report) {
    return analyze::FormatLength(Milliseconds(
        static_cast<std::int64_t>(report.at("period").at("seconds").get<double>() * 1000)));
  };
  add("length", length(before), length(after), "");
  add("status", before.at("status"), after.at("status"),
      before.at("status") == after.at("status") ? "same" : "changed");
  for (const ordered_json& gauge : after.at("gauges")) {
    const std::string name = gauge.at("name");
    const ordered_json* old = Find(before.at("gauges"), gauge.at("name"));
    if (!old) {
      add(name, "-", Size(gauge, "baseline"), "new");
      continue;
    }
    for (const char* key : {"baseline", "peak"})
      add(fmt::format("{}, {}", name, key), Size(*old, key), Size(gauge, key),
          Change(old->at(key).get<double>(), gauge.at(key).get<double>()));
    if (!gauge.at("zones").is_null() && !old->at("zones").is_null()) {
      const double a = old->at("zones").at("percent").at("safe"),
                   b = gauge.at("zones").at("percent").at("safe");
      add(name + ", safe", Percent(a), Percent(b),
          std::abs(a - b) < 0.01 ? "same"
          : b > a                ? "better"
                                 : "worse");
    }
    const auto a = Leak(before, gauge.at("name")), b = Leak(after, gauge.at("name"));
    add(name + ", leak", fmt::format("{} ({:+.2f} MiB/h)", a.first, a.second / 1048576),
        fmt::format("{} ({:+.2f} MiB/h)", b.first, b.second / 1048576),
        a.first == b.first ? "same" : "changed");
  }
  const double a = before.at("errors").at("count"), b = after.at("errors").at("count");
  add("errors", fmt::format("{}", a), fmt::format("{}", b), Change(a, b));
  const auto cause = [](const ordered_json& report) -> std::string {
    const ordered_json& list = report.at("cause").at("hypotheses");
    return list.empty() ? "none" : list.at(0).at("id").get<std::string>();
  };
  add("first cause", cause(before), cause(after),
      cause(before) == cause(after) ? "same" : "changed");
  return "# Two periods compared\n\n" + Table(rows);
}

}  // namespace

Result<std::string> Diff(const ordered_json& before, const ordered_json& after) {
  try {
    for (const ordered_json* report : {&before, &after}) {
      if (report->at("schema") != 1)
        return Fail(Errc::kCorrupt, "a report of another schema than 1");
    }
    return Compare(before, after);
  } catch (const nlohmann::json::exception& error) {
    return Fail(Errc::kCorrupt, "not a report in JSON: {}", error.what());
  }
}

}  // namespace headroom::report
