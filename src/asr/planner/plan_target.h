// What `headroom plan` plans: a model file that is here, one that is not (from its skeleton), or
// one of which only the size is known.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/store/store.h"

namespace headroom::planner {

enum class PlanSource {
  kFile,      // the model is here
  kSkeleton,  // it is not, but its shapes are known
  kSize,      // only its published size is
};
std::string_view Name(PlanSource source);  // "file", "skeleton", "size"

struct PlanTarget {
  models::ModelSpec spec;      // for a path: its file name and the quantisation its header says
  std::filesystem::path file;  // empty unless kFile
  Bytes size;                  // of the file, or as published
  PlanSource source = PlanSource::kSize;
};

/// `text`: a name, name:quantisation, or the path of a file. Without a quantisation the one that is
/// here, else the one that would be downloaded.
Result<PlanTarget> FindPlanTarget(const models::Store& store, const std::string& text);

/// Every speech model and quantisation that is published or here, in the catalogue's order.
std::vector<PlanTarget> AllPlanTargets(const models::Store& store);

/// What could be used instead, best first: smaller quantisations of the same model, then smaller
/// models that speak one of its languages.
std::vector<PlanTarget> PlanAlternatives(const models::Store& store, const PlanTarget& target);

}  // namespace headroom::planner
