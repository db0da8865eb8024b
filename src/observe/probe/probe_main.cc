// headroom-probe: what can hang on a driver, in a process of its own. See docs/probes.md.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "observe/probe/kernel_text.h"
#include "observe/probe/serve.h"
#include "observe/probe/show.h"

namespace {

using namespace headroom;

constexpr std::string_view kUsage =
    R"(Usage: headroom-probe --once [--json] [--pid=PID]…   print one sample of memory and gpus
       headroom-probe --bench=N                        what N samples cost
       headroom-probe                                  answer request lines on standard input
Options: --root=PATH  instead of /        --nvml=PATH  instead of libnvidia-ml.so.1
)";

struct Options {
  probe::ServeOptions serve;
  std::vector<pid_t> pids;
  bool once = false, json = false;
  std::int64_t bench = 0;
};

// The 1 to `most` of "--name=N".
std::optional<std::int64_t> Number(std::string_view word, std::string_view name,
                                   std::int64_t most) {
  if (!word.starts_with(name)) return std::nullopt;
  const auto number = probe::ParseNumber(word.substr(name.size()));
  return number && *number >= 1 && *number <= most ? number : std::nullopt;
}

// A person waits longer than the service does: a driver may take a second or two to load.
probe::DeviceProbeOptions Patient(const Options& options) {
  probe::DeviceProbeOptions patient;
  patient.program = "/proc/self/exe";
  patient.arguments = {"--root=" + options.serve.root.string()};
  if (!options.serve.nvml.empty()) patient.arguments.push_back("--nvml=" + options.serve.nvml);
  patient.deadline = Milliseconds(5'000);
  return patient;
}

int Once(const Options& options) {
  probe::DeviceProbe devices(Patient(options));
  probe::Sampler sampler({.root = options.serve.root}, devices);
  std::vector<pid_t> pids = options.pids;
  if (pids.empty()) pids.push_back(::getpid());
  const probe::Sample sample = sampler.Take(pids, /*idle=*/false);
  const std::string text = options.json ? ToJson(sample) + "\n" : ToText(sample);
  return WriteAll(STDOUT_FILENO, text) ? EXIT_SUCCESS : EXIT_FAILURE;
}

double CpuMicroseconds(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  const auto us = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

int Bench(const Options& options) {
  using Micro = std::chrono::duration<double, std::micro>;
  const auto n = static_cast<double>(options.bench);
  const std::vector<pid_t> pids = options.pids.empty() ? std::vector{::getpid()} : options.pids;
  double cpu = 0;
  Micro slowest{0}, wall{0};
  std::string memory;
  {
    probe::DeviceProbe devices(Patient(options));
    probe::Sampler sampler({.root = options.serve.root}, devices);
    (void)sampler.Take(pids, false);  // opens the files and starts the probe
    cpu = -CpuMicroseconds(RUSAGE_SELF);
    const MonoTime begin = SystemClock().Now();
    for (std::int64_t i = 0; i < options.bench; ++i) {
      const MonoTime before = SystemClock().Now();
      (void)sampler.Take(pids, false);
      slowest = std::max<Micro>(slowest, SystemClock().Now() - before);
    }
    wall = SystemClock().Now() - begin;
    cpu += CpuMicroseconds(RUSAGE_SELF);
    for (const auto& p : probe::ProcessReader().Read(std::vector{devices.pid()}, true))
      memory =
          fmt::format("headroom-probe: RSS {}, PSS {}, anon {}\n", FormatBinary(p.status.rss),
                      p.rollup ? FormatBinary(p.rollup->pss) : "?", FormatBinary(p.status.anon));
  }
  // The probe has ended with the block above, its start is counted in.
  const double child = CpuMicroseconds(RUSAGE_CHILDREN);
  const std::string text = fmt::format(
      "{} samples, each: CPU {:.0f} us here + {:.0f} us in headroom-probe = {:.2f} % of a core at "
      "10 Hz; {:.0f} us from begin to end, slowest {:.0f}\n{}",
      options.bench, cpu / n, child / n, (cpu + child) / n / 1e3, wall.count() / n, slowest.count(),
      memory);
  return WriteAll(STDOUT_FILENO, text) ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto value = [&](std::string_view name) { return word.substr(name.size()); };
    if (word == "--once") {
      options.once = true;
    } else if (word == "--json") {
      options.json = true;
    } else if (word.starts_with("--root=")) {
      options.serve.root = value("--root=");
    } else if (word.starts_with("--nvml=")) {
      options.serve.nvml = value("--nvml=");
    } else if (const auto pid = Number(word, "--pid=", std::numeric_limits<pid_t>::max())) {
      options.pids.push_back(static_cast<pid_t>(*pid));
    } else if (const auto samples = Number(word, "--bench=", 1'000'000)) {
      options.bench = *samples;
    } else {
      (void)WriteAll(word == "--help" ? STDOUT_FILENO : STDERR_FILENO, kUsage);
      return word == "--help" ? EXIT_SUCCESS : 2;
    }
  }
  if (options.once) return Once(options);
  if (options.bench > 0) return Bench(options);
  // A driver call that never returns must not outlive the parent process.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (auto served = probe::Serve(STDIN_FILENO, STDOUT_FILENO, options.serve); !served) {
    (void)WriteAll(STDERR_FILENO, "headroom-probe: " + served.error().what + "\n");
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
