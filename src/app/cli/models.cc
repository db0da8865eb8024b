// headroom models …
#include "app/cli/models_commands.h"

namespace headroom::cli {

void AddModels(CLI::App& app, Action& chosen) {
  CLI::App* models = app.add_subcommand("models", "Download, verify, list and remove models.");
  models->require_subcommand(1);
  models->footer("Names, folders, environment variables and checks: docs/models.md.");
  AddModelsList(*models, chosen);
  AddModelsGet(*models, chosen);
  AddModelsFiles(*models, chosen);
  AddModelsRunning(*models, chosen);
}

}  // namespace headroom::cli
