// What the simulated card imitates: the properties of a real device by which the engine chooses its
// graphs and ggml sizes its buffers. docs/gpu.md has the JSON format.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace headroom::worker {

/// How many bytes a tensor takes in a device's buffer.
enum class SizeRule {
  kPlain,     // its bytes
  kCudaRows,  // quantised rows are padded to whole blocks of 512 elements, as CUDA's kernels read
};

struct DeviceProfile {
  std::string registry = "SIM";  // the engine knows backends by it: "CUDA", "Vulkan"…
  std::string name = "SIM0";
  std::string description = "simulated card";
  Bytes alignment{128};    // of tensors in a buffer; a power of two up to 4096
  Bytes largest_buffer{};  // 0: no limit
  Bytes granularity{1};    // the driver rounds a buffer up to a multiple of this
  SizeRule size_rule = SizeRule::kPlain;
  /// "IM2COL", or "MUL_MAT:q5_K" for one type of the first operand. These move to the CPU.
  std::set<std::string> unsupported = {};
};

/// "" is the plain device. Members may be left out; unknown members, and values that no device has,
/// are kInvalid.
Result<DeviceProfile> ParseDeviceProfile(std::string_view json);
std::string ToText(const DeviceProfile& profile);

}  // namespace headroom::worker
