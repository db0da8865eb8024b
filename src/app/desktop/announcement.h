// Announces a service in the local network (DNS-SD over multicast DNS, RFC 6763) through the Avahi
// daemon: org.freedesktop.Avahi on the system bus.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"

namespace headroom::desktop {

class Announcement {
 public:
  /// Announces while it lives and Avahi runs. `name` is for people; if another machine has it
  /// already, Avahi chooses a similar one. `type`: "_wyoming._tcp". `again`: time between two
  /// tries.
  Announcement(std::string name, std::string type, std::uint16_t port,
               Milliseconds again = Milliseconds(5000));
  ~Announcement();

  /// Why the service is not announced, one line; "" while it is.
  std::string problem() const;

 private:
  struct Core;
  std::unique_ptr<Core> core_;
};

}  // namespace headroom::desktop
