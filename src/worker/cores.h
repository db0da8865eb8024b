// How many threads a computation on this machine should use.
#pragma once

namespace headroom::worker {

/// Cores (not hyper-threads: they share the vector units) this process may run on, from its CPU
/// affinity and /sys/devices/system/cpu, at least 1 and at most 16.
int UsableCores();

}  // namespace headroom::worker
