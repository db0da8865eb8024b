// The list of GPU backends: adding one begins here. Each is a worker program of its own, whose
// main_<name>.cc is in asr/worker; cmake/engine.sh builds the engine for it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "observe/probe/device_probe.h"

namespace headroom::planner {

/// What helps where a worker cannot start because of `library`.
struct MissingLibrary {
  std::string_view library;  // part of the linker's message
  std::string_view help;
};

struct GpuBackend {
  const char* worker;       // the program: "headroom-worker-cuda"
  bool nvidia_only;         // otherwise any vendor's GPU
  std::string_view build;   // the CMake option, and what it needs
  std::string_view check;   // how to see whether the driver works
  std::string_view no_gpu;  // what helps where the worker finds no GPU
  std::span<const MissingLibrary> libraries;

  bool IsInstalled() const;
  bool CanUse(const probe::Device& device) const;
};

/// Every backend, the preferred one first.
std::span<const GpuBackend> GpuBackends();

}  // namespace headroom::planner
