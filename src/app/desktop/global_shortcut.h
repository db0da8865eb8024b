// A global shortcut with press and release, through the desktop's portal
// (org.freedesktop.portal.GlobalShortcuts, version 1). The desktop asks the user for the keys once
// and remembers them; KDE, GNOME 48 and Hyprland have it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace headroom::desktop {

struct ShortcutEvents {
  /// On the shortcut's thread. Every press is followed by a release, also when the desktop goes
  /// away in between, and never by another press.
  std::function<void()> on_press;
  std::function<void()> on_release;
  /// The state below has changed.
  std::function<void()> on_change;
};

struct ShortcutState {
  bool bound = false;
  std::string keys;  // as the desktop describes them: "Press Super+H"; "" : the user chose none
  std::string
      problem;  // why there is none, one line; "" : there is, or it is still being asked for
};

class GlobalShortcut {
 public:
  /// `keys`: proposed to the user, in the portal's spelling ("LOGO+h"). `again`: between two tries.
  GlobalShortcut(std::string keys, ShortcutEvents events,
                 Milliseconds again = Milliseconds(10'000));
  ~GlobalShortcut();

  ShortcutState state() const;

 private:
  struct Core;
  std::unique_ptr<Core> core_;
};

}  // namespace headroom::desktop
