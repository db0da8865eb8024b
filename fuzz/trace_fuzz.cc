// Any text as a trace: rows are in order, numbers are sane, and the governor takes whatever it
// says.
#include <cstdint>
#include <string_view>

#include "memory/replay.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom::memory;
  const auto trace = ParseTrace(std::string_view(reinterpret_cast<const char*>(data), size), 1000);
  if (!trace) return 0;
  for (std::size_t i = 1; i < trace->rows.size(); ++i)
    if (trace->rows[i].at < trace->rows[i - 1].at) __builtin_trap();
  Policy policy;
  policy.tiers = ExampleTiers();
  const auto replay = ReplayTrace(*trace, policy, headroom::MiB(4096));
  if (!replay) return 0;
  for (const ReplayEvent& event : replay->events)
    if (event.action.reason.empty()) __builtin_trap();
  return 0;
}
