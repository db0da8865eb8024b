// The tiers of this machine: as the configuration names them, or chosen from the models that are
// here. Each is planned before anything of it is loaded, and what can never fit is refused in
// words.
#pragma once

#include <string>
#include <vector>

#include "asr/planner/gpu.h"
#include "asr/planner/tier_preference.h"
#include "asr/scheduler/tier.h"
#include "models/store/store.h"

namespace headroom::planner {

struct TierOptions {
  std::vector<TierPreference> config;  // best first; empty: chosen
  Place place = Place::kAny;           // for preferences that name none, and for what is chosen
  std::optional<Gpu> gpu = {};         // nullopt: there is none that can be used; see FindGpu
  std::string language = {};           // that each tier must know; "": any
  std::string translate_to = {};       // each tier must be able to; "": it need not
  int threads = 0;                     // 0: one for each core
  int batch = 1;                       // utterances at once on a GPU; fewer where they do not fit
  std::vector<Milliseconds> chunks = memory::kChunks;
  memory::FitRules rules = {};
  /// Host memory that can be had. A tier that is UNSAFE even with the shortest chunk, on the CPU in
  /// this and on a GPU in all of its memory, is refused.
  memory::Room host;
};

struct Tiers {
  std::vector<asr::Tier> tiers;    // best first, at most memory::kMaxTiers
  std::vector<std::string> notes;  // what was left out and why, for a person
};

/// kNotFound: no model is here, and what to do. kNoMemory: nothing fits, with the arithmetic.
/// Takes a second or two for models that were never planned, else milliseconds.
Result<Tiers> MakeTiers(const models::Store& store, const TierOptions& options);

}  // namespace headroom::planner
