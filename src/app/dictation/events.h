// What happens in the daemon, told to whoever watches: subscribers of the control socket, the live
// view of `headroom dictate`. docs/control.md lists the names and their members.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace headroom::app {

struct Event {
  std::string name;     // "state", "partial", "final", …
  nlohmann::json data;  // an object
};

/// Any thread; must return soon.
using EventSink = std::function<void(const Event&)>;

}  // namespace headroom::app
