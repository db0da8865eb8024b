#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace headroom {

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "headroom: bug: %s:%d: %s does not hold\n", file, line, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace headroom
