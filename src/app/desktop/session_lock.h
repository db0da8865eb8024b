// Whether the user's session is locked, so that nothing is typed into a password field.
#pragma once

#include <string>

namespace headroom::desktop {

/// True when any of these says so: logind (LockedHint of the user's graphical session), the
/// desktop's screen saver (org.freedesktop.ScreenSaver, org.gnome.ScreenSaver), or a lock program
/// of this user that runs, since those of sway, Hyprland and plain X use no bus. False when none
/// answers. Takes some milliseconds, and a second at most when a bus hangs. Any thread.
bool SessionLocked();

/// The last of the three alone; `proc`: where /proc is.
bool LockProgramRuns(const std::string& proc = "/proc");

}  // namespace headroom::desktop
