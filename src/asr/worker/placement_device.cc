#include <stdlib.h>

#include <algorithm>

#include "asr/overrides/pool.h"
#include "asr/worker/placement.h"

namespace headroom::worker {
namespace {

// `only`: there is no other. Some Vulkan drivers do not report the PCI address of their GPU.
bool IsCalled(ggml_backend_dev_t device, const std::string& wanted, bool only) {
  if (wanted == ggml_backend_dev_name(device)) return true;
  ggml_backend_dev_props properties{};
  ggml_backend_dev_get_props(device, &properties);
  if (properties.device_id == nullptr) return only && wanted.find(':') != std::string::npos;
  return wanted == properties.device_id;
}

class DevicePlacement : public Placement {
 public:
  DevicePlacement(std::string backend, std::string registry)
      : backend_(std::move(backend)), registry_(std::move(registry)) {
    // Vulkan would put a graph's operations into another order before its memory is laid out, which
    // takes more of it (1 % for Whisper) than the simulated card knows of.
    ::setenv("GGML_VK_DISABLE_GRAPH_OPTIMIZE", "1", /*overwrite=*/0);
  }

  std::string Backend() const override { return backend_; }

  std::vector<ggml_backend_dev_t> Devices() const override {
    std::vector<ggml_backend_dev_t> devices;
    if (ggml_backend_reg_t registry = ggml_backend_reg_by_name(registry_.c_str())) {
      for (std::size_t i = 0; i < ggml_backend_reg_dev_count(registry); ++i)
        devices.push_back(ggml_backend_reg_dev_get(registry, i));
    }
    return devices;
  }

  Result<Place> Open(const asr::GpuOptions& options) override {
    const std::vector<ggml_backend_dev_t> devices = Devices();
    if (devices.empty())
      return Fail(Errc::kNotFound,
                  "there is no device for {}; headroom doctor says what is missing", registry_);
    const auto found = std::ranges::find_if(devices, [&](ggml_backend_dev_t device) {
      return options.device.empty() || IsCalled(device, options.device, devices.size() == 1);
    });
    if (found == devices.end())
      return Fail(Errc::kNotFound, "{} has no device {}", registry_, options.device);
    BufferPool& pool = BufferPool::Of(ggml_backend_dev_buffer_type(*found));
    return Place{.device = *found, .pool = &pool, .gpu = nullptr};
  }

 private:
  const std::string backend_, registry_;
};

}  // namespace

std::unique_ptr<Placement> MakeDevicePlacement(std::string backend, std::string registry) {
  return std::make_unique<DevicePlacement>(std::move(backend), std::move(registry));
}

}  // namespace headroom::worker
