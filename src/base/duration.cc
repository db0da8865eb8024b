#include "base/duration.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"

namespace headroom {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};
constexpr std::array kUnits = {Unit{"ms", 1}, Unit{"s", 1000}, Unit{"min", 60'000},
                               Unit{"h", 3'600'000}, Unit{"d", 86'400'000}};
constexpr double kLongest = 10 * 365.25 * 86'400'000;

}  // namespace

Result<Milliseconds> ParseDuration(std::string_view text) {
  const std::string_view trimmed = Trim(text);
  double number = 0;
  const char* const first = trimmed.data();
  const char* const last = first + trimmed.size();
  const auto [end, err] = std::from_chars(first, last, number, std::chars_format::fixed);
  const std::string_view unit = Trim({end, static_cast<std::size_t>(last - end)});
  if (err == std::errc() && number == 0 && unit.empty()) return Milliseconds(0);
  for (const Unit& known : kUnits) {
    if (err != std::errc() || unit != known.name) continue;
    const double milliseconds = number * static_cast<double>(known.milliseconds);
    if (!(milliseconds >= 0 && milliseconds <= kLongest)) break;
    return Milliseconds(std::llround(milliseconds));
  }
  return Fail(Errc::kInvalid,
              "\"{}\" is not a length of time; write for example 800ms, 1.5s, 5min or 24h",
              Printable(text));
}

std::string FormatDuration(Milliseconds duration) {
  if (duration.count() == 0) return "0s";
  for (auto unit = kUnits.rbegin(); unit != kUnits.rend(); ++unit) {
    // 24h says more than 1d.
    if (unit->name == "d" && duration.count() < 2 * unit->milliseconds) continue;
    if (duration.count() % unit->milliseconds == 0)
      return fmt::format("{}{}", duration.count() / unit->milliseconds, unit->name);
  }
  return fmt::format("{}ms", duration.count());
}

}  // namespace headroom
