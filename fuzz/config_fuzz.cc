// Any text as a configuration: what is accepted, written out and read again is the same, and every
// mistake has a line of the text.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "app/config/config.h"
#include "app/config/config_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom::app;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const ConfigReading reading = ReadConfig(text);
  const auto lines = std::ranges::count(text, '\n') + 1;
  for (const ConfigProblem& problem : reading.problems) {
    if (problem.line < 0 || problem.line > lines || problem.text.empty()) __builtin_trap();
    if (problem.text.find('\n') != std::string::npos) __builtin_trap();
  }
  Config changed;
  const Config before = changed;
  if (!SetConfig(changed, std::array{text}) && !(changed == before)) __builtin_trap();
  if (!reading.problems.empty()) return 0;
  const ConfigReading again = ReadConfig(WriteConfig(reading.config));
  if (!again.problems.empty() || !(again.config == reading.config)) __builtin_trap();
  return 0;
}
