// How commands find a running daemon.
#pragma once

#include <filesystem>
#include <string>

#include "app/cli/command.h"
#include "net/control/client.h"

namespace headroom::cli {

/// --socket PATH, for a daemon that does not listen where this user's configuration says.
void AddSocketOption(Parser command, std::string& socket);

/// The configured one unless `socket` names another. A configuration with mistakes in it still
/// says where the socket is, so that a running daemon can be asked.
std::filesystem::path DaemonSocket(const std::string& socket);

inline net::ControlClient Daemon(const std::string& socket) {
  return net::ControlClient(DaemonSocket(socket));
}

/// Prints one indented JSON document on standard output; invalid UTF-8 in its strings is replaced.
void PrintJson(const nlohmann::json& json);

}  // namespace headroom::cli
