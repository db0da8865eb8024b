// The device profile of a real ggml device, for simulating it elsewhere.
#pragma once

#include <ggml-backend.h>

#include "asr/sim/device_profile.h"

namespace headroom::worker {

/// Asks the device about every operation the engine's graphs are made of, with each type weights
/// come in. What a driver adds to a buffer's size cannot be asked for and stays "granularity": 1.
DeviceProfile RecordProfile(ggml_backend_dev_t device);

}  // namespace headroom::worker
