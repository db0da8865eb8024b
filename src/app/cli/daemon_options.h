// The options of `headroom daemon` and of headroom-daemon, which it executes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/cli/command.h"

namespace headroom::cli {

struct DaemonOptions {
  std::string config, state;  // empty: the usual paths
  std::vector<std::string> settings;
};

std::shared_ptr<DaemonOptions> AddDaemonOptions(Parser app);

}  // namespace headroom::cli
