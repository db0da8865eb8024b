// Two reports in JSON, compared: what became better, worse or is new. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"

namespace headroom::report {

/// Markdown. kCorrupt where one of them is not a report of schema 1.
Result<std::string> Diff(const nlohmann::ordered_json& before, const nlohmann::ordered_json& after);

}  // namespace headroom::report
