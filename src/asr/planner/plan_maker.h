// Makes plans: by the engine on a counting simulated card, in a worker of its own, so that an abort
// of the engine is one line; by the published size where a model's shapes are not known.
// docs/memory.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "asr/client/plan_cache.h"
#include "asr/client/worker.h"
#include "asr/planner/plan_target.h"
#include "memory/plan.h"

namespace headroom::planner {

struct PlanSettings {
  std::vector<Milliseconds> chunks;  // ascending; plans have all of them
  Milliseconds chunk{};              // one of them: the longest to be admitted
  int batch = 1;
  Bytes gpu;
  /// What the driver holds besides the engine's buffers, where it was calibrated on the
  /// GPU. nullopt: the estimate.
  std::optional<Bytes> driver = {};
  bool calibrated = false;   // `driver` and `profile` are a calibration's
  std::string profile = {};  // of the GPU, as a calibration recorded it; "": a plain device
  bool cpu = false;          // the CPU computes, not a GPU
  bool cached = true;
};

struct MadePlan {
  PlanTarget target;
  asr::PlanResult counted;  // for kSize: estimates
  memory::Plan plan;        // KV and resident are those of the admitted chunk
  bool from_cache = false;
};

/// Of a plan that was made with `cpu`: no driver, and what the engine keeps besides there.
memory::Plan OnCpu(memory::Plan plan, const asr::PlanResult& counted);

class PlanMaker {
 public:
  /// kNotFound when the worker program is not there.
  static Result<PlanMaker> Make(PlanSettings settings);

  /// A worker that plans one after the other; empty: there is none yet.
  using WorkerSlot = std::unique_ptr<asr::Worker>;

  /// Any number of threads at once.
  Result<MadePlan> Plan(const PlanTarget& target) const;
  /// The same with the worker of the plan before. It is started where there is none, and gone after
  /// an error. Any number of threads, each with a slot of its own.
  Result<MadePlan> Plan(const PlanTarget& target, WorkerSlot& worker) const;
  /// One after the other on every core, each core's in one worker as long as it lives; in the
  /// targets' order. `worker`: one that is there already, if any.
  std::vector<Result<MadePlan>> PlanAll(const std::vector<PlanTarget>& targets,
                                        WorkerSlot worker = nullptr) const;

  const PlanSettings& settings() const { return settings_; }

 private:
  PlanMaker(PlanSettings settings, std::filesystem::path worker, std::string engine);
  Result<asr::PlanResult> Count(const PlanTarget& target, WorkerSlot& worker,
                                bool& from_cache) const;
  Result<asr::PlanResult> Ask(const std::filesystem::path& file, WorkerSlot& worker) const;

  PlanSettings settings_;
  std::filesystem::path worker_;
  std::string engine_;  // what identifies the engine and the worker program
  asr::PlanCache cache_;
};

}  // namespace headroom::planner
