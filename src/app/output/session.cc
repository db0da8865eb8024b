#include "app/output/session.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <functional>

#include "app/output/run_program.h"
#include "base/dirs.h"
#include "base/fd.h"
#include "base/text.h"

namespace headroom::output {
namespace {

using Lookup = std::function<std::string(const char* name)>;

bool HasListener(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.data(), path.size());
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

std::string SocketOf(const std::string& display, const std::string& runtime) {
  return display.starts_with('/') ? display : runtime + "/" + display;
}

Session From(const Lookup& lookup) {
  Session session;
  for (const char* name : {"XDG_RUNTIME_DIR", "WAYLAND_DISPLAY", "DISPLAY", "XAUTHORITY"}) {
    if (std::string value = lookup(name); !value.empty())
      session.environment.emplace_back(name, std::move(value));
  }
  const std::string wayland = lookup("WAYLAND_DISPLAY");
  if (!wayland.empty() && HasListener(SocketOf(wayland, lookup("XDG_RUNTIME_DIR"))))
    session.kind = SessionKind::kWayland;
  else if (!lookup("DISPLAY").empty())
    session.kind = SessionKind::kX11;
  return session;
}

Lookup UserManager() {
  const auto ran = RunWell(
      {.argv = {"systemctl", "--user", "show-environment"}, .deadline = Milliseconds(2000)});
  std::vector<std::string> lines;
  if (ran) lines = Split(ran->out, '\n');
  return [lines](const char* name) {
    const std::string start = std::string(name) + "=";
    for (const std::string& line : lines) {
      if (line.starts_with(start)) return line.substr(start.size());
    }
    return Environment(name);
  };
}

std::string ListeningDisplay(const std::string& runtime) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(runtime, none)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("wayland-") && !name.ends_with(".lock") && HasListener(entry.path()))
      return name;
  }
  return "";
}

}  // namespace

Session FindSession() {
  if (Session own = From([](const char* name) { return Environment(name); });
      own.kind != SessionKind::kNone)
    return own;
  if (Session managed = From(UserManager()); managed.kind != SessionKind::kNone) return managed;
  const std::string found = ListeningDisplay(Environment("XDG_RUNTIME_DIR"));
  return From([&](const char* name) {
    return name == std::string_view("WAYLAND_DISPLAY") ? found : Environment(name);
  });
}

}  // namespace headroom::output
