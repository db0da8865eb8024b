#include "app/cli/daemon_options.h"

namespace headroom::cli {

std::shared_ptr<DaemonOptions> AddDaemonOptions(Parser app) {
  auto options = std::make_shared<DaemonOptions>();
  app.AddOption("--config", options->config, "Configuration file");
  app.AddOption("--set", options->settings,
                "Override a setting, e.g. speech.mode=hands_free (repeatable)")
      .OneValueEach();
  app.AddOption("--state", options->state, "Folder for the spool, history and flight record");
  return options;
}

}  // namespace headroom::cli
