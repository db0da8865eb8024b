// Where a worker puts its models: the one thing in which worker programs with the same engine
// differ.
#pragma once

#include <ggml-backend.h>

#include <memory>
#include <string>

#include "engine/protocol.h"

namespace headroom::worker {

class BufferPool;
class SimCard;

/// A place for one model. Null members: there is no such thing.
struct Place {
  ggml_backend_dev_t device = nullptr;  // null: the CPU, and nothing is pooled or counted
  BufferPool* pool = nullptr;           // of the device's buffers
  SimCard* card = nullptr;              // when the device is simulated
};

class Placement {
 public:
  virtual ~Placement() = default;
  virtual std::string Backend() const = 0;  // "cpu", "sim"…
  /// kInvalid when the options make no sense.
  virtual Result<Place> Open(const engine::CardOptions& options) = 0;
};

std::unique_ptr<Placement> MakeCpuPlacement();
/// $HEADROOM_CARD_CAPACITY, $HEADROOM_CARD_PROFILE (a file) and $HEADROOM_CARD_SCRIPT go before
/// what a request says.
std::unique_ptr<Placement> MakeSimPlacement();

}  // namespace headroom::worker
