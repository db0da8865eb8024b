// What happens in the daemon, as it is published to everybody who watches: net/control/event.h.
#pragma once

#include <functional>

#include "net/control/event.h"

namespace headroom::app {

using net::Event;

/// Any thread; must return soon.
using EventSink = std::function<void(const Event&)>;

}  // namespace headroom::app
