#include "cli/daemon_client.h"

#include "api/local_socket.h"
#include "base/file.h"
#include "daemon/config.h"

namespace headroom::cli {

void AddSocketOption(CLI::App& command, std::string& socket) {
  command.add_option("--socket", socket, "The daemon's control socket, instead of the configured");
}

std::filesystem::path DaemonSocket(const std::string& socket) {
  if (!socket.empty()) return socket;
  const auto text = ReadFile(daemon::ConfigPath(), MiB(1));
  return api::ControlSocketPath(text ? daemon::ReadConfig(*text).config.control_socket
                                     : std::filesystem::path());
}

void PrintJson(const nlohmann::json& json) {
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace headroom::cli
