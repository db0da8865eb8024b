// CHECK is for bugs: conditions that only our own mistake can break. Always on.
#pragma once

namespace headroom {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);
}

#define CHECK(condition) \
  (static_cast<bool>(condition) ? void() : ::headroom::CheckFailed(#condition, __FILE__, __LINE__))
