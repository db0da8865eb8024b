#include "observe/report/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.h"
#include "base/text.h"
#include "observe/report/words.h"

namespace headroom::report {
namespace {

constexpr std::array<std::string_view, 8> kNames = {"leak", "peak",   "vram",  "ram",
                                                    "swap", "errors", "burst", "unsafe"};

bool IsSize(std::string_view name) {
  return name == "leak" || name == "peak" || name == "vram" || name == "ram" || name == "swap";
}

Result<Condition> ParseCondition(std::string_view text) {
  Condition condition;
  condition.text = Printable(text);
  const std::size_t sign = text.find('>');
  const auto refuse = [&](std::string_view why) {
    return Fail(Errc::kInvalid,
                "--fail-on {}: {}; write for example leak>1MiB/h,peak>3.2GiB,errors>0",
                condition.text, why);
  };
  if (sign == std::string_view::npos) return refuse("there is no >");
  condition.name = Trim(text.substr(0, sign));
  if (std::find(kNames.begin(), kNames.end(), condition.name) == kNames.end())
    return refuse("no such quantity (leak, peak, vram, ram, swap, errors, burst, unsafe)");
  std::string_view value = Trim(text.substr(sign + 1));
  if (value.ends_with("%")) {
    condition.percent = true;
    value = Trim(value.substr(0, value.size() - 1));
  }
  if (condition.name == "leak") {
    if (!value.ends_with("/h")) return refuse("a leak is a size an hour");
    value.remove_suffix(2);
  }
  if (IsSize(condition.name) && !condition.percent) {
    const auto bytes = ParseBytes(value);
    if (!bytes) return refuse("that is not a size");
    condition.limit = static_cast<double>(bytes->n);
    return condition;
  }
  const auto [end, err] =
      std::from_chars(value.data(), value.data() + value.size(), condition.limit);
  if (err != std::errc() || end != value.data() + value.size())
    return refuse("that is not a number");
  if (condition.percent != (condition.name == "unsafe") && condition.name != "vram" &&
      condition.name != "peak")
    return refuse(condition.percent ? "that takes no percent" : "that is a percentage");
  return condition;
}

}  // namespace

Result<std::vector<Condition>> ParseConditions(std::string_view text) {
  std::vector<Condition> conditions;
  for (const std::string& part : Split(text, ',')) {
    if (Trim(part).empty()) continue;
    TRY_ASSIGN(Condition condition, ParseCondition(Trim(part)));
    conditions.push_back(std::move(condition));
  }
  if (conditions.empty()) return Fail(Errc::kInvalid, "--fail-on: names no condition");
  return conditions;
}

std::vector<std::string> Holding(const std::vector<Condition>& conditions,
                                 const analyze::Findings& findings) {
  std::vector<std::string> lines;
  for (const Condition& condition : conditions) {
    const auto holds = [&](const std::string& why) {
      lines.push_back(condition.text + ": " + why);
    };
    for (const analyze::Gauge& gauge : findings.gauges) {
      constexpr std::array<std::string_view, 3> kKinds = {"vram", "ram", "swap"};
      if (condition.name == "unsafe" && gauge.zoned && gauge.known.count() > 0) {
        const double safe = static_cast<double>(gauge.zone_time[0].count());
        const double percent = 100 * (1 - safe / static_cast<double>(gauge.known.count()));
        if (percent > condition.limit)
          holds(fmt::format("{} was outside its safe zone for {}", gauge.name, Percent(percent)));
      }
      if (condition.name != "peak" &&
          condition.name != kKinds[static_cast<std::size_t>(gauge.kind)])
        continue;
      if (condition.percent && !gauge.total) continue;
      const double value = condition.percent ? 100 * gauge.peak / *gauge.total : gauge.peak;
      if (value > condition.limit)
        holds(fmt::format("{} reached {}{}", gauge.name, Say(gauge, gauge.peak),
                          condition.percent ? fmt::format(" ({:.1f} %)", value) : ""));
    }
    if (condition.name == "leak") {
      for (const analyze::LeakFinding& leak : findings.leaks) {
        if (leak.verdict == analyze::LeakVerdict::kLeak && leak.slope > condition.limit)
          holds(leak.statement.text);
      }
    }
    if (condition.name == "errors" && static_cast<double>(findings.errors) > condition.limit)
      holds(fmt::format("{} errors", findings.errors));
    for (const analyze::Burst& burst : findings.bursts) {
      if (condition.name != "burst" || static_cast<double>(burst.peak_rate) <= condition.limit)
        continue;
      holds(fmt::format("{} errors in one second", burst.peak_rate));
      break;
    }
  }
  return lines;
}

}  // namespace headroom::report
