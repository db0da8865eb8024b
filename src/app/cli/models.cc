// headroom models …
#include "app/cli/models_commands.h"

namespace headroom::cli {

void AddModels(Parser app, Action& chosen) {
  Parser models = app.Add("models", "Download, verify, list and remove models.");
  models.RequireCommand();
  models.Footer("Names, folders, environment variables and checks: docs/models.md.");
  AddModelsList(models, chosen);
  AddModelsGet(models, chosen);
  AddModelsFiles(models, chosen);
  AddModelsRunning(models, chosen);
}

}  // namespace headroom::cli
