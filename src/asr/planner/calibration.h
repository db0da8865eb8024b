// What a GPU's driver takes besides the engine's buffers, measured once per GPU, driver, backend
// and engine by really loading and running, and kept; together with the device profile that plans
// for this GPU are counted with. docs/gpu.md.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"

namespace headroom::planner {

/// What a calibration is good for. Anything else of it is another calibration.
struct CalibrationKey {
  std::string device;   // its PCI address, or the worker's own name for it
  std::string driver;   // its version as the probe reports it; "": not known
  std::string backend;  // the worker program, "headroom-worker-cuda"
  bool operator==(const CalibrationKey&) const = default;
};

struct Calibration {
  CalibrationKey key = {};
  std::string profile = {};  // the device profile as JSON text
  std::string model = {};    // what was loaded
  Milliseconds chunk{};      // the longest audio that was run
  /// Beside the engine's buffers: once the model is loaded (context, kernels, libraries), and what
  /// running every length added (pools and workspaces inside the backend).
  Bytes context = {}, growth = {};
  /// Where that was read: the GPU's memory, or, where it cannot be read, the worker's own.
  bool of_gpu = false;
  Bytes buffers = {};            // the engine's, at the longest chunk
  std::int64_t allocations = 0;  // that reached the driver while running; 0 as it should be
  Bytes driver() const { return context + growth; }
};

/// What is in use on the card. `own`: by that worker alone, else by every process.
struct GpuUse {
  Bytes used;
  bool own = false;
};
/// Asked before the worker starts (pid -1) and while it is there. nullopt: it cannot be read.
using ReadGpuUse = std::function<std::optional<GpuUse>(pid_t worker)>;

struct CalibrationRequest {
  CalibrationKey key;
  std::filesystem::path model;
  std::vector<Milliseconds> chunks;  // that will be admitted; not empty
};

/// Loads the model in a worker of the backend and runs each length twice. Takes as long as that
/// takes; other users of the GPU are in the numbers unless the driver counts by process.
Result<Calibration> Calibrate(const CalibrationRequest& request, const ReadGpuUse& read);

/// Where calibrations are kept: CacheDir()/calibration.
std::filesystem::path CalibrationFolder();
/// nullopt: none was made, or it is damaged or of another engine.
std::optional<Calibration> FindCalibration(
    const CalibrationKey& key, const std::filesystem::path& folder = CalibrationFolder());
Result<> KeepCalibration(const Calibration& calibration,
                         const std::filesystem::path& folder = CalibrationFolder());

}  // namespace headroom::planner
