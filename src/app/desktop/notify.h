// What a systemd service of Type=notify tells its manager (sd_notify(3)). Any thread. Nothing
// happens where there is no manager.
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
/// Alive; to be said every WatchdogInterval.
void NotifyWatchdog();

/// A third of the time in which the manager wants to hear of us; nullopt: it does not.
std::optional<Milliseconds> WatchdogInterval();

}  // namespace headroom::desktop
