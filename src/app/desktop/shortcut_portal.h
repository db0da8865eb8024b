// Whether the desktop can bind global shortcuts for us, without asking it to.
#pragma once

#include "base/error.h"

namespace headroom::desktop {

/// The version of the desktop's GlobalShortcuts portal. kNotFound: this desktop has none, or there
/// is no desktop. Takes a second at most. Any thread.
Result<unsigned> ShortcutPortalVersion();

}  // namespace headroom::desktop
