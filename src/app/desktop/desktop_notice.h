// Notifications on the user's desktop (org.freedesktop.Notifications, "Desktop Notifications
// Specification" 1.2). Any thread. A call takes a second at most, and says nothing spoken: what is
// shown here may lie on a locked screen.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/mutex.h"

namespace headroom::desktop {

struct Notice {
  std::string summary;  // one line
  std::string body = {};
  bool urgent = false;  // stays until it is dismissed
};

class DesktopNotices {
 public:
  /// Replaces the previous notice if it is still shown. kNotFound: no desktop shows notices.
  Result<> Show(const Notice& notice);

 private:
  Mutex mutex_;
  std::uint32_t last_ GUARDED_BY(mutex_) = 0;  // the server's number of the last one; 0: none
};

}  // namespace headroom::desktop
