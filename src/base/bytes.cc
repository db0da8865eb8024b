#include "base/bytes.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

namespace headroom {
namespace {

constexpr double kLargest = 4.6e18;  // a little under 2^62

struct Unit {
  std::string_view name;
  double factor;
};
constexpr std::array<Unit, 18> kUnits = {{{"", 1},
                                          {"b", 1},
                                          {"k", 1e3},
                                          {"kb", 1e3},
                                          {"m", 1e6},
                                          {"mb", 1e6},
                                          {"g", 1e9},
                                          {"gb", 1e9},
                                          {"t", 1e12},
                                          {"tb", 1e12},
                                          {"kib", 1024.},
                                          {"mib", 1048576.},
                                          {"gib", 1073741824.},
                                          {"tib", 1099511627776.},
                                          {"ki", 1024.},
                                          {"mi", 1048576.},
                                          {"gi", 1073741824.},
                                          {"ti", 1099511627776.}}};

}  // namespace

std::string FormatBinary(Bytes bytes) {
  constexpr std::array<const char*, 5> kNames = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes.n);
  std::size_t unit = 0;
  while (std::abs(value) >= 1024 && unit + 1 < kNames.size()) value /= 1024, ++unit;
  return unit == 0 ? fmt::format("{} B", bytes.n) : fmt::format("{:.1f} {}", value, kNames[unit]);
}

std::string FormatDecimal(Bytes bytes) {
  constexpr std::array<const char*, 5> kNames = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes.n);
  std::size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit + 1 < kNames.size()) value /= 1000, ++unit;
  if (unit == 0) return fmt::format("{} B", bytes.n);
  const int decimals = std::abs(value) < 9.995 ? 2 : std::abs(value) < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, kNames[unit]);
}

std::string FormatExact(Bytes bytes) {
  constexpr std::pair<std::string_view, std::int64_t> kWhole[] = {
      {"GiB", 1 << 30},  {"GB", 1'000'000'000}, {"MiB", 1 << 20},
      {"MB", 1'000'000}, {"KiB", 1 << 10},      {"kB", 1'000}};
  for (const auto& [unit, size] : kWhole) {
    if (bytes.n != 0 && bytes.n % size == 0) return fmt::format("{}{}", bytes.n / size, unit);
  }
  return fmt::format("{}", bytes.n);
}

Result<Bytes> ParseBytes(std::string_view text) {
  const auto refuse = [&] {
    return Fail(Errc::kInvalid, "\"{}\" is not a size; write for example 4096MiB or 1.5GB", text);
  };
  double number = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (err != std::errc() || !std::isfinite(number) || number < 0) return refuse();
  std::string unit;
  for (const char* p = end; p != text.data() + text.size(); ++p) {
    const auto c = static_cast<unsigned char>(*p);
    if (!std::isspace(c)) unit += static_cast<char>(std::tolower(c));
  }
  for (const Unit& known : kUnits) {
    if (known.name != unit) continue;
    if (number * known.factor > kLargest) return refuse();
    return Bytes(std::llround(number * known.factor));
  }
  return refuse();
}

}  // namespace headroom
