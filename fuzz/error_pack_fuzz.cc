// Any text as an error pack: it is refused with a line number or it works on lines. Up to the first
// zero byte the input is the pack, the rest are lines.
#include <cstdint>
#include <string>
#include <string_view>

#include "observe/analyze/pack.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = std::min(bytes.find('\0'), bytes.size());
  auto packs = analyze::Packs::Make({{"fuzz.toml", std::string(bytes.substr(0, zero))}});
  if (!packs) {
    if (!packs.error().what.starts_with("fuzz.toml")) __builtin_trap();
    return 0;
  }
  for (std::string_view rest = bytes.substr(zero); !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    (void)packs->Match(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return 0;
}
