#include "observe/probe/host.h"

#include "observe/probe/kernel_text.h"

namespace headroom::probe {
namespace {

std::optional<Stall> ParseStall(std::string_view rest) {
  std::optional<double> avg10, avg60, avg300;
  std::optional<std::int64_t> total;
  for (std::string_view word = NextWord(rest); !word.empty(); word = NextWord(rest)) {
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view key = word.substr(0, equals), value = word.substr(equals + 1);
    if (key == "avg10")
      avg10 = ParseFraction(value, 100);
    else if (key == "avg60")
      avg60 = ParseFraction(value, 100);
    else if (key == "avg300")
      avg300 = ParseFraction(value, 100);
    else if (key == "total")
      total = ParseNumber(value);
  }
  if (!avg10 || !avg60 || !avg300 || !total) return std::nullopt;
  return Stall{*avg10, *avg60, *avg300, std::chrono::microseconds(*total)};
}

}  // namespace

std::optional<HostMemory> ParseMeminfo(std::string_view text) {
  std::optional<Bytes> total, available, free, swap_total, swap_free;
  std::string_view line;
  while (NextLine(text, line)) {
    const auto field = KeyAndValue(line);
    if (!field) continue;
    const auto& [key, value] = *field;
    if (key == "MemTotal")
      total = ParseSized(value);
    else if (key == "MemAvailable")
      available = ParseSized(value);
    else if (key == "MemFree")
      free = ParseSized(value);
    else if (key == "SwapTotal")
      swap_total = ParseSized(value);
    else if (key == "SwapFree")
      swap_free = ParseSized(value);
    if (swap_free) break;  // the last line of interest; two thirds of the file follow
  }
  if (!total || !available || !free || *available > *total || *free > *total || total->n == 0)
    return std::nullopt;
  HostMemory host{*total, *available, *free, std::nullopt};
  if (swap_total && swap_free && *swap_free <= *swap_total) host.swap = {*swap_total, *swap_free};
  return host;
}

std::optional<Pressure> ParsePressure(std::string_view text) {
  std::optional<Stall> some, full;
  std::string_view line;
  while (NextLine(text, line)) {
    const std::string_view kind = NextWord(line);
    if (kind == "some")
      some = ParseStall(line);
    else if (kind == "full")
      full = ParseStall(line);
  }
  if (!some) return std::nullopt;
  return Pressure{*some, full.value_or(Stall{})};
}

}  // namespace headroom::probe
