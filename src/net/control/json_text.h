// Errors and events as the text of answers. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace headroom::net {

/// The HTTP status for an error of the service.
unsigned HttpStatus(Errc code);
/// {"error": {"code": "busy", "message": "…"}}
nlohmann::json ErrorJson(const Error& error);
/// The inverse, for clients; kProtocol when it is none.
Error ErrorFromJson(const nlohmann::json& json);

/// One line of JSON, whatever bytes the texts hold.
std::string Dump(const nlohmann::json& json);
/// "id: 7\nevent: text\ndata: {…}\n\n"
std::string EventText(std::uint64_t id, std::string_view name, const nlohmann::json& data);

}  // namespace headroom::net
