// headroom models load | unload: loads and unloads the running service's model.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/daemon_client.h"
#include "app/cli/models_commands.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "base/bytes.h"
#include "base/text.h"

namespace headroom::cli {
namespace {

struct Options {
  std::string socket;
  bool json = false;
};

Result<int> Ask(const Options& options, const char* route) {
  TRY_ASSIGN(const nlohmann::json answer, Daemon(options.socket).Ask("POST", route));
  if (options.json) {
    PrintJson(answer);
    return kOk;
  }
  const nlohmann::json tiers = answer.value("tiers", nlohmann::json::array());
  const auto loaded =
      std::ranges::find_if(tiers, [](const auto& tier) { return tier.value("loaded", false); });
  if (loaded == tiers.end()) {
    fmt::print("no model is loaded\n");
  } else {
    fmt::print("{} is loaded, {}\n", Printable(loaded->value("tier", "")),
               FormatBinary(Bytes(loaded->value("resident_bytes", std::int64_t{0}))));
  }
  return kOk;
}

void Add(Parser models, Action& chosen, const char* name, const char* description,
         const char* route, const char* footer) {
  const auto options = std::make_shared<Options>();
  Parser command = models.Add(name, description);
  AddSocketOption(command, options->socket);
  command.AddFlag("--json", options->json, "Print JSON: installed and loaded models");
  command.Footer(footer);
  command.OnChosen(Runs(chosen, [options, route] { return Ask(*options, route); }));
}

}  // namespace

void AddModelsRunning(Parser models, Action& chosen) {
  Add(models, chosen, "load", "Have the running service load its model now.", "/v1/models/load",
      "Loads the best tier that fits, as when listening begins. It is unloaded again after the "
      "idle "
      "time.");
  Add(models, chosen, "unload",
      "Have the running service unload its model and free its memory now.", "/v1/models/unload",
      "Fails while listening or serving a program. The model is loaded again when needed.");
}

}  // namespace headroom::cli
