#include "app/cli/daemon_options.h"

namespace headroom::cli {

std::shared_ptr<DaemonOptions> AddDaemonOptions(CLI::App& app) {
  auto options = std::make_shared<DaemonOptions>();
  app.add_option("--config", options->config, "Configuration file");
  app.add_option("--set", options->settings,
                 "Override a setting, e.g. speech.mode=hands_free (repeatable)")
      ->allow_extra_args(false);
  app.add_option("--state", options->state, "Folder for the spool, history and flight record");
  return options;
}

}  // namespace headroom::cli
