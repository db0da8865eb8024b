// Messages of a systemd service of Type=notify to its manager (sd_notify(3)). Any thread. Without a
// manager nothing happens.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"

namespace headroom::desktop {

/// Up and able to listen; `status` is the line that systemctl shows.
void NotifyReady(const std::string& status);
/// The configuration is read again; NotifyReady ends it.
void NotifyReloading();
void NotifyStatus(const std::string& status);
void NotifyStopping(const std::string& status);
/// Alive; to be called every WatchdogInterval.
void NotifyWatchdog();

/// A third of the manager's watchdog timeout; nullopt without one.
std::optional<Milliseconds> WatchdogInterval();

}  // namespace headroom::desktop
