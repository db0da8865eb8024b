// The graphical session that keys and clipboards belong to. Looked for at each delivery: a service
// is often started before its session, and a session can be replaced.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace headroom::output {

enum class SessionKind { kNone, kX11, kWayland };

struct Session {
  SessionKind kind = SessionKind::kNone;
  /// What programs must have in their environment to reach it.
  std::vector<std::pair<std::string, std::string>> environment = {};
};

/// From our own environment, else from that of the user's systemd, else from the Wayland sockets in
/// $XDG_RUNTIME_DIR. A Wayland display counts when something listens there.
Session FindSession();

}  // namespace headroom::output
