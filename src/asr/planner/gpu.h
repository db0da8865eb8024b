// The GPU that models may use, and the worker program for it.
#pragma once

#include <optional>
#include <string>

#include "asr/planner/calibration.h"
#include "asr/scheduler/tier.h"
#include "observe/probe/device_probe.h"

namespace headroom::planner {

struct Gpu {
  std::string device;  // for asr::Tier::device: its PCI address
  std::string name;    // for people: "NVIDIA GeForce RTX 3050"
  memory::DeviceKind kind = memory::DeviceKind::kDiscrete;
  Bytes total;                                  // zero: not known
  std::string worker;                           // "headroom-worker-cuda"
  asr::GpuOptions options = {};                 // for headroom-worker-sim only
  std::optional<Calibration> calibration = {};  // of this GPU with this driver and worker
};

/// The best GPU that a worker program of this installation can use: a discrete one before a unified
/// one; only the one with the PCI address `wanted`, if that is not empty. nullopt: none. Waits for
/// the drivers for at most `patience`, and does not ask them where no such program is installed.
std::optional<Gpu> FindGpu(probe::DeviceSource& devices, Milliseconds patience,
                           const std::string& wanted = "", const Clock& clock = SystemClock());

}  // namespace headroom::planner
