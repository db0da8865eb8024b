// The names and JSON of events, as programs on the control socket see them: docs/control.md. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "net/control/event.h"

namespace headroom::net {

/// "text", "partial", …; alternatives may share one.
std::string_view NameOf(const Event& event);
/// Always an object.
nlohmann::json EventToJson(const Event& event);

}  // namespace headroom::net
