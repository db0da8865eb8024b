// The few functions of NVIDIA's management library that are needed, loaded at run time.
// Declared here from the public "NVML API Reference Guide" (docs.nvidia.com/deploy/nvml-api):
// names, argument types, structure layouts and return codes; no header of NVIDIA's is used.
// Any call can hang for ever on a lost GPU: only headroom-probe makes them. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "observe/probe/device.h"

namespace headroom::probe {

class Nvml {
 public:
  /// Loads `library` (a path, or a name the loader looks up) and calls nvmlInit_v2. From then on
  /// the driver may keep every NVIDIA GPU awake. kNotFound: no library; kUnsupported: it lacks a
  /// function; kIo: the driver says no.
  static Result<std::unique_ptr<Nvml>> Open(const std::string& library);
  /// nvmlShutdown and dlclose: every descriptor of the driver is closed.
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  /// Fills name, uuid, driver, state, total, used, processes and trouble of the GPU device.pci.
  /// False when the library itself is no longer usable and should be reopened.
  bool Read(Device& device);

 private:
  struct Functions;
  Nvml(void* library, std::unique_ptr<Functions> functions);
  void ReadProcesses(void* handle, Device& device);

  void* library_;
  std::unique_ptr<Functions> functions_;
  bool initialised_ = false;
  std::string driver_;
};

}  // namespace headroom::probe
