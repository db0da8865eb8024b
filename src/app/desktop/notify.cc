#include "app/desktop/notify.h"

#include <systemd/sd-daemon.h>

#include <algorithm>

#include "base/text.h"

namespace headroom::desktop {
namespace {

void Send(const std::string& state) {
  (void)::sd_notify(0, state.c_str());
}

// One line, since the message is one variable a line.
std::string Line(const std::string& status) {
  std::string line = Printable(status);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

}  // namespace

void NotifyReady(const std::string& status) {
  Send("READY=1\nSTATUS=" + Line(status));
}

void NotifyReloading() {
  const auto now = SystemClock().Now().time_since_epoch();
  Send("RELOADING=1\nMONOTONIC_USEC=" +
       std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
}

void NotifyStatus(const std::string& status) {
  Send("STATUS=" + Line(status));
}

void NotifyStopping(const std::string& status) {
  Send("STOPPING=1\nSTATUS=" + Line(status));
}

void NotifyWatchdog() {
  Send("WATCHDOG=1");
}

std::optional<Milliseconds> WatchdogInterval() {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::max(Milliseconds(1), Milliseconds(microseconds / 3000));
}

}  // namespace headroom::desktop
