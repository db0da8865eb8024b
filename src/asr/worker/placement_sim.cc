#include "asr/overrides/pool.h"
#include "asr/sim/sim_device.h"
#include "asr/worker/placement.h"
#include "base/dirs.h"
#include "base/file.h"

namespace headroom::worker {
namespace {

Result<asr::GpuOptions> WithEnvironment(asr::GpuOptions options) {
  if (const auto capacity = Environment("HEADROOM_CARD_CAPACITY"); !capacity.empty()) {
    TRY_ASSIGN(options.capacity, ParseBytes(capacity));
  }
  if (const auto profile = Environment("HEADROOM_CARD_PROFILE"); !profile.empty()) {
    TRY_ASSIGN(options.profile, ReadFile(profile));
  }
  if (const auto script = Environment("HEADROOM_CARD_SCRIPT"); !script.empty())
    options.script = script;
  return options;
}

class SimPlacement : public Placement {
 public:
  std::string Backend() const override { return "sim"; }

  Result<Place> Open(const asr::GpuOptions& asked) override {
    TRY_ASSIGN(const auto options, WithEnvironment(asked));
    SimCardOptions gpu{.capacity = options.capacity, .counting = options.counting};
    TRY_ASSIGN(gpu.profile, ParseDeviceProfile(options.profile));
    TRY_ASSIGN(gpu.script, ParseCardScript(options.script));
    SimCard& made = SimCard::Make(std::move(gpu));
    return Place{
        .device = made.device(), .pool = &BufferPool::Of(made.buffer_type()), .gpu = &made};
  }
};

}  // namespace

std::unique_ptr<Placement> MakeSimPlacement() {
  return std::make_unique<SimPlacement>();
}

}  // namespace headroom::worker
