// A sample for a person, and as JSON for scripts (docs/probes.md lists its keys).
#pragma once

#include <string>

#include "observe/probe/sampler.h"

namespace headroom::probe {

std::string ToText(const Sample& sample);
/// One object, indented by two.
std::string ToJson(const Sample& sample);

}  // namespace headroom::probe
