#include "app/desktop/shortcut_portal.h"

#include <systemd/sd-bus.h>

#include "app/desktop/bus_loop.h"

namespace headroom::desktop {

Result<unsigned> ShortcutPortalVersion() {
  constexpr std::uint64_t kAnswerMicroseconds = 1'000'000;
  Reference<sd_bus, sd_bus_flush_close_unref> bus;
  if (::sd_bus_open_user(bus.out()) < 0)
    return Fail(Errc::kNotFound, "no session bus, so no desktop");
  ::sd_bus_set_method_call_timeout(bus.get(), kAnswerMicroseconds);
  unsigned version = 0;
  if (::sd_bus_get_property_trivial(
          bus.get(), "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop",
          "org.freedesktop.portal.GlobalShortcuts", "version", nullptr, 'u', &version) < 0)
    return Fail(Errc::kNotFound, "this desktop has no portal for global shortcuts");
  return version;
}

}  // namespace headroom::desktop
