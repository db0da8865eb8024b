// One look after the other at a target: its memory, the machine's, the GPUs', and what changed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "observe/probe/sampler.h"
#include "observe/record/record.h"
#include "observe/watch/kernel_log.h"
#include "observe/watch/target.h"

namespace headroom::watch {

struct WatchOptions {
  Target target;
  std::filesystem::path root = "/";
  /// Which GPUs: "all", "none", or a part of a PCI address, name or UUID.
  std::string gpus = "all";
  memory::Thresholds thresholds{};
  Milliseconds look_every{2'000};  // for processes that came and went
};

/// A user of a GPU's memory, ours or not.
struct Owner {
  std::string gpu;
  pid_t pid = 0;
  std::string name;
  std::optional<Bytes> used;
  bool ours = false;
};

struct Observation {
  record::Sample sample;
  std::vector<record::Event> events;
  std::vector<record::GpuName> gpus;
  std::vector<Owner> owners;
  std::size_t processes = 0;  // of the target; the sample has the largest alone
  std::string trouble;        // why the target cannot be looked for
};

/// One thread at a time; Look blocks for the probe's deadline at most, or a tool's (systemctl).
class Watcher {
 public:
  Watcher(WatchOptions options, probe::DeviceSource& devices, const Clock& clock = SystemClock(),
          RunProgram run = RealPrograms());

  Observation Look(std::optional<MonoTime> due = std::nullopt);

 private:
  void TellTarget(const Members& members, Observation& seen);

  static constexpr std::size_t kMostProcesses = 32;  // in a sample; the rest is one sum

  WatchOptions options_;
  probe::DeviceSource& devices_;
  const Clock& clock_;
  Finder finder_;
  KernelLog kernel_;
  std::unique_ptr<probe::Sampler> sampler_;
  std::optional<std::string> cgroup_;  // that sampler_ reads
  std::optional<Process> main_;        // of the target, when last seen
  bool running_ = false, ever_ = false;
  std::optional<record::Sample> last_;
};

}  // namespace headroom::watch
