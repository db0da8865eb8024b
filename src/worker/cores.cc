#include "worker/cores.h"

#include <sched.h>

#include <algorithm>
#include <set>
#include <string>

#include "base/file.h"

namespace headroom::worker {

int UsableCores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  std::set<std::string> cores;  // one sibling list, e.g. "0,4", for each core
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    auto siblings =
        ReadFile(fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu));
    cores.insert(siblings ? *siblings : std::to_string(cpu));
  }
  return std::clamp(static_cast<int>(cores.size()), 1, 16);
}

}  // namespace headroom::worker
