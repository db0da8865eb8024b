// What others say about the same night, checked against what was found: claims in TOML,
// each with the JSON pointer of the fact it is about. Two claims about one fact can also contradict
// each other.
//
//   [[claim]]
//   text = "safe for 99.94 % of the time"    where = "section 7"
//   about = "/gauges/0/zones/percent/safe"   says = 99.94    tolerance = 0.5
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace headroom::report {

/// [{text, where, about, says, found, agrees, contradicts: [texts]}]; kInvalid names file and line.
Result<nlohmann::ordered_json> CheckClaims(std::string_view toml, const std::string& name,
                                           const nlohmann::ordered_json& report);
/// A section of Markdown from what CheckClaims gave.
std::string ClaimsMarkdown(const nlohmann::ordered_json& claims);

}  // namespace headroom::report
