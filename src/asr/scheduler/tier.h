// One (model, quantisation, device) that can turn speech into text.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "asr/client/protocol.h"
#include "memory/governor.h"

namespace headroom::asr {

struct Tier {
  memory::Plan plan;            // names the model; what admission counts with
  std::filesystem::path model;  // absolute
  std::string worker = "headroom-worker-cpu";
  std::string device;       // the GPU's name for its lock, its PCI address where known; "": the CPU
  int threads = 0;          // 0: as many as the machine has cores for this process
  ModelTraits traits = {};  // as counted; without an architecture: not known before it is loaded
  GpuOptions gpu = {};      // for headroom-worker-sim only

  bool on_gpu() const { return !device.empty(); }
  std::string Title() const { return plan.Title(); }
};

/// "" when the tier can do what is asked, else why not: "whisper-tiny.en F16 on cpu knows en, not
/// de". What a model does not say about itself counts as possible.
std::string WhyNot(const Tier& tier, const RecognitionOptions& options);

/// The governor's policy for these tiers, the rest as given. kInvalid without tiers, with more than
/// memory::kMaxTiers, and for plans that make no sense.
Result<memory::Policy> PolicyFor(const std::vector<Tier>& tiers, memory::Policy policy = {});

}  // namespace headroom::asr
