#include "app/cli/daemon_client.h"

#include "app/config/config.h"
#include "base/file.h"
#include "net/server/local_socket.h"

namespace headroom::cli {

void AddSocketOption(Parser command, std::string& socket) {
  command.AddOption("--socket", socket,
                    "Control socket of the daemon, instead of the configured one");
}

std::filesystem::path DaemonSocket(const std::string& socket) {
  if (!socket.empty()) return socket;
  const auto text = ReadFile(app::ConfigPath(), MiB(1));
  return net::ControlSocketPath(text ? app::ReadConfig(*text).config.control_socket
                                     : std::filesystem::path());
}

void PrintJson(const nlohmann::json& json) {
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace headroom::cli
