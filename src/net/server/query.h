// The query of a request's target. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace headroom::net {

/// The path of a target, without its query.
std::string_view PathOf(std::string_view target);

/// The fields of a target's query, decoded, in their order; a + is a space. kInvalid: not a query
/// as RFC 3986 has it, or it has control characters.
Result<std::vector<std::pair<std::string, std::string>>> ParseQuery(std::string_view target);

}  // namespace headroom::net
