// The routes that a ControlService answers, on the control socket and, some of them, on the
// network. docs/control.md and docs/api.md have each of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "net/control/control.h"
#include "net/server/http_exchange.h"
#include "net/server/routes.h"

namespace headroom::net {

/// What the routes need of the server that has them; outlives them.
struct ControlBackend {
  ControlService& service;
  /// An error of the service, or of the request, as the server's clients expect it.
  std::function<HttpAnswer(const Error&, unsigned status)> fail;
  std::atomic<std::size_t>& followers;     // of events
  std::atomic<std::uint64_t>& next_event;  // its number
  Bytes body_limit = KiB(64);              // of a command
  Milliseconds body_time{30'000};
  Milliseconds answer_time{60'000};
  bool watch_peer = false;                      // while a command is carried out
  std::function<void()> on_unanswered = [] {};  // within answer_time
  std::function<void(nlohmann::json&)> add_status = [](nlohmann::json&) {};
  YieldId last_yield = 0;
  RecognitionId last_recognition = 0;
};

/// All of them.
std::vector<Route> ControlRoutes(ControlBackend& backend);
/// Of those that `routes` has: on the control socket, or on the network.
std::vector<Route> RoutesOn(std::vector<Route> routes, bool socket);

/// A report's page: its own script and style, nothing from anywhere, an origin of its own.
inline constexpr char kFramePolicy[] =
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'none'";

}  // namespace headroom::net
