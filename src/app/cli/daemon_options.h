// The options of `headroom daemon` and of headroom-daemon, which it executes.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

namespace headroom::cli {

struct DaemonOptions {
  std::string config, state;  // empty: the usual paths
  std::vector<std::string> settings;
};

std::shared_ptr<DaemonOptions> AddDaemonOptions(CLI::App& app);

}  // namespace headroom::cli
