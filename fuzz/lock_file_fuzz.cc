// Any text as models.lock: what is accepted is safe to use as file names, and is written the same.
#include <cstdint>
#include <string_view>

#include "models/store/lock_file.h"
#include "models/store/names.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom::models;
  const auto lock =
      ParseLockFile(std::string_view(reinterpret_cast<const char*>(data), size), "lock");
  if (!lock) return 0;
  for (const LockEntry& entry : lock->entries)
    if (!IsModelName(entry.file) || entry.bytes.n < 0) __builtin_trap();
  const auto again = ParseLockFile(Format(*lock), "again");
  if (!again || Format(*again) != Format(*lock)) __builtin_trap();
  return 0;
}
