// What of an event may leave the machine: never a word that was spoken, nor who uses what. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "net/control/event.h"

namespace headroom::net {

/// The event as followers of GET /api/events see it; nullopt: they do not. Only fields that are
/// named there pass, so one that is added later does not get out by itself. docs/api.md.
std::optional<nlohmann::json> PublicEvent(const Event& event);

}  // namespace headroom::net
