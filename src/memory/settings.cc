#include "memory/settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/text.h"

namespace headroom::memory {
namespace {

struct Target {
  std::string key;
  std::variant<double*, Bytes*> to;
};

template <class T>
void AddThresholds(std::vector<Target>& all, std::string_view name, ZoneLevels<T>& thresholds) {
  all.push_back({fmt::format("{}_warning", name), &thresholds.warning});
  all.push_back({fmt::format("{}_danger", name), &thresholds.danger});
  all.push_back({fmt::format("{}_critical", name), &thresholds.critical});
}

std::vector<Target> Targets(Thresholds& thresholds) {
  std::vector<Target> all;
  AddThresholds(all, "vram", thresholds.vram);
  AddThresholds(all, "ram", thresholds.ram);
  AddThresholds(all, "ram_percent", thresholds.ram_percent);
  AddThresholds(all, "swap", thresholds.swap);
  AddThresholds(all, "psi_some", thresholds.psi_some);
  AddThresholds(all, "psi_full", thresholds.psi_full);
  return all;
}

Result<double> ReadPercent(const Setting& setting) {
  if (const double* number = std::get_if<double>(&setting.value)) {
    if (!std::isfinite(*number))
      return Fail(Errc::kInvalid, "{}: not a finite number", setting.key);
    return *number;
  }
  std::string_view text = Trim(std::get<std::string>(setting.value));
  if (text.ends_with('%')) text = Trim(text.substr(0, text.size() - 1));
  double number = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (err != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return Fail(Errc::kInvalid, "{}: \"{}\" is not a percentage; write for example 70", setting.key,
                Printable(std::get<std::string>(setting.value)));
  return number;
}

Result<Bytes> ReadSize(const Setting& setting) {
  if (const double* number = std::get_if<double>(&setting.value)) {
    if (!std::isfinite(*number) || *number < 0 || *number > 1e15)
      return Fail(Errc::kInvalid, "{}: not a number of bytes; write for example \"2GB\"",
                  setting.key);
    return Bytes(std::llround(*number));
  }
  Result<Bytes> size = ParseBytes(Trim(Printable(std::get<std::string>(setting.value))));
  if (!size) return Within(size, "{}", setting.key);
  return size;
}

}  // namespace

std::vector<std::string> ThresholdKeys() {
  Thresholds any;
  std::vector<std::string> keys;
  for (Target& target : Targets(any)) keys.push_back(std::move(target.key));
  return keys;
}

Result<> SetThreshold(Thresholds& thresholds, const Setting& setting) {
  const std::vector<Target> targets = Targets(thresholds);
  const auto target = std::find_if(targets.begin(), targets.end(),
                                   [&](const Target& one) { return one.key == setting.key; });
  if (target == targets.end()) {
    const auto near = NearestNames(setting.key, ThresholdKeys());
    return Fail(Errc::kInvalid, "unknown threshold \"{}\"; {}", Printable(setting.key),
                near.empty() ? fmt::format("known: {}", fmt::join(ThresholdKeys(), ", "))
                             : fmt::format("did you mean {}?", fmt::join(near, " or ")));
  }
  if (double* const* percent = std::get_if<double*>(&target->to)) {
    TRY_ASSIGN(**percent, ReadPercent(setting));
  } else {
    TRY_ASSIGN(*std::get<Bytes*>(target->to), ReadSize(setting));
  }
  return {};
}

std::vector<Setting> SettingsOf(const Thresholds& thresholds) {
  Thresholds copy = thresholds;
  std::vector<Setting> settings;
  for (const Target& target : Targets(copy)) {
    if (double* const* percent = std::get_if<double*>(&target.to))
      settings.push_back({target.key, **percent});
    else
      settings.push_back({target.key, FormatExact(*std::get<Bytes*>(target.to))});
  }
  return settings;
}

Result<Thresholds> ThresholdsFrom(std::span<const Setting> settings, Thresholds base) {
  std::set<std::string_view> seen;
  for (const Setting& setting : settings) {
    if (!seen.insert(setting.key).second)
      return Fail(Errc::kInvalid, "{}: given twice", Printable(setting.key));
    TRY(SetThreshold(base, setting));
  }
  TRY(Validate(base));
  return base;
}

}  // namespace headroom::memory
