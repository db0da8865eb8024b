// A status line as a decoder that its input has taken over could send it.
#include <cstdint>
#include <string_view>

#include "audio/format/decode_status.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom::audio;
  const auto status = ParseDecodeStatus({reinterpret_cast<const char*>(data), size});
  if (!status) return 0;
  // What was understood must survive the way back, on one line and within the limit.
  const std::string line = FormatDecodeStatus(*status);
  if (line.size() > kMaxStatusLine || line.find('\n') != line.size() - 1) __builtin_trap();
  const auto again = ParseDecodeStatus(std::string_view(line).substr(0, line.size() - 1));
  if (!again || FormatDecodeStatus(*again) != line) __builtin_trap();
  return 0;
}
