// What `headroom daemon` and the program it becomes are told.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

namespace headroom::cli {

struct DaemonOptions {
  std::string config, state;  // empty: where they usually are
  std::vector<std::string> settings;
};

std::shared_ptr<DaemonOptions> AddDaemonOptions(CLI::App& app);

}  // namespace headroom::cli
