#include "asr/worker/cores.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string>

#include "base/file.h"

namespace headroom::worker {
namespace {

constexpr int kMost = 16;

struct Core {
  double speed = 1;
  std::vector<int> cpus;
};

double SpeedOf(const std::filesystem::path& cpu) {
  for (const char* name : {"cpu_capacity", "cpufreq/cpuinfo_max_freq"}) {
    const auto text = ReadFile(cpu / name);
    if (!text) continue;
    double value = 0;
    const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
    if (parsed.ec == std::errc() && value > 0) return value;
  }
  return 1;
}

}  // namespace

Cores ChooseCores(std::span<const int> allowed, const std::filesystem::path& cpu_root) {
  std::map<std::string, Core> by_siblings;  // a list, e.g. "0,4", for each core
  for (const int cpu : allowed) {
    const auto folder = cpu_root / fmt::format("cpu{}", cpu);
    const auto siblings = ReadFile(folder / "topology/thread_siblings_list");
    Core& core = by_siblings[siblings ? *siblings : std::to_string(cpu)];
    core.speed = SpeedOf(folder);
    core.cpus.push_back(cpu);
  }
  std::vector<Core> cores;
  for (auto& [siblings, core] : by_siblings) cores.push_back(std::move(core));
  std::ranges::stable_sort(cores, std::greater(), &Core::speed);
  std::size_t chosen = 0;
  double best = 0;
  for (std::size_t count = 1; count <= cores.size() && count <= kMost; ++count) {
    const double together = static_cast<double>(count) * cores[count - 1].speed;
    if (together >= best) best = together, chosen = count;
  }
  Cores result;
  result.count = std::max(1, static_cast<int>(chosen));
  for (std::size_t i = 0; i < chosen; ++i)
    result.cpus.insert(result.cpus.end(), cores[i].cpus.begin(), cores[i].cpus.end());
  std::ranges::sort(result.cpus);
  return result;
}

int UseCores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
  const Cores cores = ChooseCores(cpus, "/sys/devices/system/cpu");
  if (cores.cpus.size() < cpus.size() && cores.count < kMost) {
    CPU_ZERO(&allowed);
    for (const int cpu : cores.cpus) CPU_SET(cpu, &allowed);
    static_cast<void>(::sched_setaffinity(0, sizeof allowed, &allowed));  // better, not needed
  }
  return cores.count;
}

}  // namespace headroom::worker
