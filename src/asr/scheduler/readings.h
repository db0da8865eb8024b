// Where the scheduler's numbers come from: a seam for tests, and the real one over src/probe.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "memory/governor.h"
#include "observe/probe/sampler.h"

namespace headroom::asr {

class Readings {
 public:
  virtual ~Readings() = default;
  /// Only what is measured is filled in. `workers`: our processes besides this one. `idle`: cards
  /// may sleep. `due`: when it should have been taken. Blocks for a fifth of a second at most.
  virtual memory::Sample Take(std::span<const pid_t> workers, bool idle, MonoTime due) = 0;
};

struct ProbeReadingsOptions {
  std::string gpu;      // PCI address of the GPU to watch; "": the first discrete
  bool devices = true;  // false: no GPU is used, no probe process is started
  probe::SamplerOptions sampler;
  probe::DeviceProbeOptions probe;
  /// Everything that was measured, for a record. On the thread that takes the sample.
  std::function<void(const probe::Sample&)> on_sample;
};

/// One thread at a time.
class ProbeReadings : public Readings {
 public:
  explicit ProbeReadings(ProbeReadingsOptions options, const Clock& clock = SystemClock());
  /// With GPUs from elsewhere.
  ProbeReadings(ProbeReadingsOptions options, std::unique_ptr<probe::DeviceSource> devices,
                const Clock& clock);
  ~ProbeReadings() override;
  memory::Sample Take(std::span<const pid_t> workers, bool idle, MonoTime due) override;

 private:
  const ProbeReadingsOptions options_;
  std::unique_ptr<probe::DeviceSource> devices_;
  probe::Sampler sampler_;
  std::optional<Bytes> total_;  // of the GPU when it was last awake
};

/// The part of a probe's sample that the governor looks at. Pure. `gpu`: as in the options. A GPU
/// that sleeps is empty; one that is left alone has no numbers.
memory::Sample ToGovernor(const probe::Sample& sample, std::string_view gpu);

}  // namespace headroom::asr
