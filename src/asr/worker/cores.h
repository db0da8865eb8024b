// Which cores of this machine a computation should use, and with how many threads.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

namespace headroom::worker {

struct Cores {
  int count = 1;          // threads to compute with: 1 to 16
  std::vector<int> cpus;  // of these cores, hyper-threads included
};

/// Of the CPUs `allowed`: cores, not hyper-threads, which share the vector units. Where cores
/// differ, all that are at least as fast as some kind, so that their number times the speed of the
/// slowest among them is greatest, since at every barrier the others wait for it. Speed is
/// cpu_capacity, else cpufreq's cpuinfo_max_freq, else the same. `cpu_root`:
/// /sys/devices/system/cpu.
Cores ChooseCores(std::span<const int> allowed, const std::filesystem::path& cpu_root);

/// The number of cores to compute on. Where some are left out, the calling thread and those that it
/// starts from now on stay on the others.
int UseCores();

}  // namespace headroom::worker
