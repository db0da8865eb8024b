#include "app/cli/daemon_options.h"

namespace headroom::cli {

std::shared_ptr<DaemonOptions> AddDaemonOptions(CLI::App& app) {
  auto options = std::make_shared<DaemonOptions>();
  app.add_option("--config", options->config, "configuration file");
  app.add_option("--set", options->settings,
                 "a setting over the file, such as speech.mode=hands_free (repeatable)")
      ->allow_extra_args(false);
  app.add_option("--state", options->state, "folder for spool, history and flight record");
  return options;
}

}  // namespace headroom::cli
