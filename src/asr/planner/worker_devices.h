// The GPUs that a worker program can use, as it reports them.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace headroom::planner {

struct WorkerDevice {
  std::string name;         // the worker's own: "Vulkan0"
  std::string description;  // for people: "NVIDIA GeForce RTX 3050"
  std::string pci;          // "0000:01:00.0"; "": the driver does not say
  bool unified = false;
  Bytes total;
  /// What asr::GpuOptions::device and the lock of the GPU are called by.
  const std::string& key() const { return pci.empty() ? name : pci; }
};

/// Runs `PROGRAM --devices`; drivers may hang, so it is ended after `within` (kTimeout). kNotFound:
/// it is not installed. kWorkerLost with its last line where it cannot start: a library is missing.
Result<std::vector<WorkerDevice>> AskDevices(const std::string& program, Milliseconds within);

/// Runs `PROGRAM ARGUMENT…` in the same way: what it prints.
Result<std::string> AskWorker(const std::string& program, std::vector<std::string> arguments,
                              Milliseconds within);

/// The answer as the worker prints it, a JSON list. kProtocol when it is something else.
Result<std::vector<WorkerDevice>> ParseDevices(std::string_view text);

}  // namespace headroom::planner
