// A line from a headroom-probe that a driver's library has taken over, and one to it.
#include <cstdint>
#include <string_view>

#include "observe/probe/device.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom::probe;
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  // What was understood must survive the way back, on one line.
  if (const auto answer = ParseAnswer(line)) {
    const std::string said = FormatAnswer(*answer);
    const auto again = ParseAnswer(said);
    if (said.find('\n') != std::string::npos || !again || FormatAnswer(*again) != said)
      __builtin_trap();
  }
  if (const auto request = ParseRequest(line)) {
    const auto again = ParseRequest(FormatRequest(*request));
    if (!again || FormatRequest(*again) != FormatRequest(*request)) __builtin_trap();
  }
  return 0;
}
