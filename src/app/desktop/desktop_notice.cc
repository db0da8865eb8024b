#include "app/desktop/desktop_notice.h"

#include <systemd/sd-bus.h>

#include "app/desktop/bus_loop.h"

namespace headroom::desktop {
namespace {

constexpr std::uint64_t kAnswerMicroseconds = 1'000'000;

// Servers may read the body as markup.
std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else
      escaped += c;
  }
  return escaped;
}

}  // namespace

Result<> DesktopNotices::Show(const Notice& notice) {
  Reference<sd_bus, sd_bus_flush_close_unref> bus;
  if (const int failed = ::sd_bus_open_user(bus.out()); failed < 0)
    return Fail(Errc::kNotFound, "cannot show a notification: no session bus");
  ::sd_bus_set_method_call_timeout(bus.get(), kAnswerMicroseconds);
  const std::string body = Escaped(notice.body);
  const MutexLock lock(mutex_);
  sd_bus_error error = SD_BUS_ERROR_NULL;
  Reference<sd_bus_message, sd_bus_message_unref> reply;
  const int failed = ::sd_bus_call_method(
      bus.get(), "org.freedesktop.Notifications", "/org/freedesktop/Notifications",
      "org.freedesktop.Notifications", "Notify", &error, reply.out(), "susssasa{sv}i", "Headroom",
      last_, "audio-input-microphone", notice.summary.c_str(), body.c_str(), 0, 1, "urgency", "y",
      notice.urgent ? 2 : 1, -1);
  const std::string why = error.message ? error.message : "no answer";
  ::sd_bus_error_free(&error);
  if (failed < 0) return Fail(Errc::kNotFound, "cannot show a notification: {}", why);
  ::sd_bus_message_read(reply.get(), "u", &last_);
  return {};
}

}  // namespace headroom::desktop
