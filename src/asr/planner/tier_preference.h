// What a user says about tiers: which model, and where it may run.
#pragma once

#include <string>

namespace headroom::planner {

enum class Place { kAny, kGpu, kCpu };

struct TierPreference {
  std::string model;  // a name, name:quantisation, or the path of a file
  Place place = Place::kAny;
  friend bool operator==(const TierPreference&, const TierPreference&) = default;
};

}  // namespace headroom::planner
