// The routes for programs on the network: OpenAI's, health, metrics, events, the page.
// docs/api.md has every one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/server/routes.h"
#include "net/server/speech_service.h"

namespace headroom::net {

struct WebCore;

/// With those of the control service, where there is one.
std::vector<Route> WebRoutes(WebCore& core);

inline constexpr std::string_view kRealtimePath = "/v1/realtime";

std::string ModelsJson(const ServiceState& state);
/// nullopt: there is no such model.
std::optional<std::string> ModelJson(const ServiceState& state, std::string_view id);
std::string ReadyJson(const ServiceState& state);

}  // namespace headroom::net
