// Where a worker puts its models: the one thing in which worker programs with the same engine
// differ.
#pragma once

#include <ggml-backend.h>

#include <memory>
#include <string>
#include <vector>

#include "asr/client/protocol.h"

namespace headroom::worker {

class BufferPool;
class SimCard;

/// A place for one model. Null members: there is no such thing.
struct Place {
  ggml_backend_dev_t device = nullptr;  // null: the CPU, and nothing is pooled or counted
  BufferPool* pool = nullptr;           // of the device's buffers
  SimCard* gpu = nullptr;               // when the device is simulated
};

class Placement {
 public:
  virtual ~Placement() = default;
  virtual std::string Backend() const = 0;  // "cpu", "sim"…
  /// The devices that it could open; none where there is only the CPU.
  virtual std::vector<ggml_backend_dev_t> Devices() const { return {}; }
  /// kInvalid when the options make no sense, kNotFound when the device is not there.
  virtual Result<Place> Open(const asr::GpuOptions& options) = 0;
};

std::unique_ptr<Placement> MakeCpuPlacement();
/// `registry`: ggml's name of the backend, "Vulkan" or "CUDA". Opens the device that the options
/// name by its PCI address or ggml's own name for it, else the first.
std::unique_ptr<Placement> MakeDevicePlacement(std::string backend, std::string registry);
/// $HEADROOM_CARD_CAPACITY, $HEADROOM_CARD_PROFILE (a file) and $HEADROOM_CARD_SCRIPT go before
/// what a request says.
std::unique_ptr<Placement> MakeSimPlacement();

}  // namespace headroom::worker
