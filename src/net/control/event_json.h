// The names and JSON of events, as programs on the control socket see them: docs/control.md. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

#include "net/control/event.h"

namespace headroom::net {

/// "text", "partial", …; alternatives may share one.
std::string_view NameOf(const Event& event);
/// Always an object.
nlohmann::json EventToJson(const Event& event);
/// The inverse of both, for clients, as lenient as ParseStatus; the code of an error that was not
/// sent is kInternal. nullopt: an event that it does not know, or no object.
std::optional<Event> EventFromJson(std::string_view name, const nlohmann::json& data);

}  // namespace headroom::net
