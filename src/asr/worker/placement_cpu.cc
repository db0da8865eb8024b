#include "asr/worker/placement.h"

namespace headroom::worker {
namespace {

class CpuPlacement : public Placement {
 public:
  std::string Backend() const override { return "cpu"; }
  Result<Place> Open(const asr::GpuOptions&) override { return Place{}; }
};

}  // namespace

std::unique_ptr<Placement> MakeCpuPlacement() {
  return std::make_unique<CpuPlacement>();
}

}  // namespace headroom::worker
