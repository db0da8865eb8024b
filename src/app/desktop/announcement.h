// Tells the local network of a service (DNS-SD over multicast DNS, RFC 6763), by way of the Avahi
// daemon: org.freedesktop.Avahi on the system bus.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"

namespace headroom::desktop {

class Announcement {
 public:
  /// For as long as it lives, from when Avahi can be reached. `name` is for people; where another
  /// machine has it already, Avahi chooses one like it. `type`: "_wyoming._tcp". `again`: between
  /// two tries.
  Announcement(std::string name, std::string type, std::uint16_t port,
               Milliseconds again = Milliseconds(5000));
  ~Announcement();

  /// Why nobody is told, one line; "" while they are.
  std::string trouble() const;

 private:
  struct Core;
  std::unique_ptr<Core> core_;
};

}  // namespace headroom::desktop
