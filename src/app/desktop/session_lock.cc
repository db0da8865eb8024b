#include "app/desktop/session_lock.h"

#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "app/desktop/bus_loop.h"
#include "base/file.h"
#include "base/text.h"

namespace headroom::desktop {
namespace {

constexpr std::uint64_t kAnswerMicroseconds = 300'000;

// Names as in /proc/PID/comm, which has 15 characters.
constexpr std::array<std::string_view, 10> kLockPrograms = {
    "swaylock", "hyprlock", "waylock",  "gtklock",     "i3lock",
    "slock",    "xtrlock",  "physlock", "xsecurelock", "kscreenlocker_g"};

using BusReference = Reference<sd_bus, sd_bus_flush_close_unref>;
using Message = Reference<sd_bus_message, sd_bus_message_unref>;

bool LogindSaysLocked() {
  BusReference bus;
  if (::sd_bus_open_system(bus.out()) < 0) return false;
  ::sd_bus_set_method_call_timeout(bus.get(), kAnswerMicroseconds);
  constexpr const char* kLogind = "org.freedesktop.login1";
  Message user;
  const char* path = nullptr;
  if (::sd_bus_call_method(bus.get(), kLogind, "/org/freedesktop/login1",
                           "org.freedesktop.login1.Manager", "GetUser", nullptr, user.out(), "u",
                           static_cast<std::uint32_t>(::getuid())) < 0 ||
      ::sd_bus_message_read(user.get(), "o", &path) < 0)
    return false;
  // The user's graphical session; a service has none of its own.
  Message display;
  const char* id = nullptr;
  const char* session = nullptr;
  if (::sd_bus_get_property(bus.get(), kLogind, path, "org.freedesktop.login1.User", "Display",
                            nullptr, display.out(), "(so)") < 0 ||
      ::sd_bus_message_read(display.get(), "(so)", &id, &session) < 0 ||
      std::string_view(id).empty())
    return false;
  int locked = 0;
  return ::sd_bus_get_property_trivial(bus.get(), kLogind, session,
                                       "org.freedesktop.login1.Session", "LockedHint", nullptr, 'b',
                                       &locked) >= 0 &&
         locked != 0;
}

bool IsActive(sd_bus* bus, const char* service, const char* path) {
  Message call, reply;
  int active = 0;
  if (::sd_bus_message_new_method_call(bus, call.out(), service, path, service, "GetActive") < 0)
    return false;
  // The call must not start a screen saver.
  ::sd_bus_message_set_auto_start(call.get(), 0);
  return ::sd_bus_call(bus, call.get(), kAnswerMicroseconds, nullptr, reply.out()) >= 0 &&
         ::sd_bus_message_read(reply.get(), "b", &active) >= 0 && active != 0;
}

bool ScreenSaverIsActive() {
  BusReference bus;
  if (::sd_bus_open_user(bus.out()) < 0) return false;
  return IsActive(bus.get(), "org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver") ||
         IsActive(bus.get(), "org.gnome.ScreenSaver", "/org/gnome/ScreenSaver");
}

}  // namespace

bool LockProgramRuns(const std::string& proc) {
  namespace fs = std::filesystem;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(proc, none)) {
    const std::string name = entry.path().filename();
    if (name.empty() || name[0] < '0' || name[0] > '9') continue;
    struct stat info{};
    if (::stat(entry.path().c_str(), &info) != 0 || info.st_uid != ::getuid()) continue;
    const auto comm = ReadFile(entry.path() / "comm");
    if (comm && std::ranges::find(kLockPrograms, Trim(*comm)) != kLockPrograms.end()) return true;
  }
  return false;
}

bool SessionLocked() {
  return LogindSaysLocked() || ScreenSaverIsActive() || LockProgramRuns();
}

}  // namespace headroom::desktop
