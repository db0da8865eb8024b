// headroom listen | finish | toggle | cancel | reload: each sends one request to the daemon.
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/daemon_client.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "base/text.h"
#include "net/control/status.h"

namespace headroom::cli {
namespace {

using nlohmann::json;

struct Options {
  std::string language, socket;
};

// Prints the daemon's phase after the request, so that scripts need no second call.
Result<int> Change(const Options& options, const std::string& route) {
  const json body =
      options.language.empty() ? json::object() : json{{"language", options.language}};
  TRY_ASSIGN(const json answer, Daemon(options.socket).Ask("POST", "/v1/" + route, body));
  TRY_ASSIGN(const net::Status status, net::ParseStatus(answer));
  fmt::print("{}\n", Name(status.phase));
  for (const std::string& warning : status.troubles) Note(warning);
  return kOk;
}

std::string Names(const json& answer, const char* key) {
  std::string names;
  const auto list = answer.find(key);
  if (list == answer.end() || !list->is_array()) return names;
  for (const json& name : *list) {
    if (name.is_string())
      names += (names.empty() ? "" : ", ") + Printable(name.get_ref<const std::string&>());
  }
  return names;
}

Result<int> Reload(const Options& options) {
  TRY_ASSIGN(const json answer, Daemon(options.socket).Ask("POST", "/v1/reload"));
  const std::string changed = Names(answer, "changed"), restart = Names(answer, "restart");
  if (!changed.empty()) fmt::print("applied: {}\n", changed);
  if (!restart.empty()) fmt::print("applied after a restart: {}\n", restart);
  if (changed.empty() && restart.empty()) fmt::print("nothing changed\n");
  return kOk;
}

Parser Add(Parser app, const std::string& name, const std::string& text,
           const std::shared_ptr<Options>& options) {
  Parser command = app.Add(name, text);
  AddSocketOption(command, options->socket);
  return command;
}

}  // namespace

void AddListen(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  const std::pair<const char*, const char*> changes[] = {
      {"listen", "Start listening; returns when the microphone records."},
      {"finish", "Stop listening; speech up to now still becomes text."},
      {"toggle", "Start or stop listening, e.g. for a key binding."},
      {"cancel", "Stop listening and discard the current utterance."}};
  for (const auto& [name, text] : changes) {
    Parser command = Add(app, name, text, options);
    if (std::string_view(name) == "listen")
      command.AddOption("-l,--language", options->language,
                        "Spoken language until listening stops (de, en, auto)");
    command.OnChosen(Runs(chosen, [=] { return Change(*options, name); }));
  }
  Parser reload = Add(app, "reload", "Reload the daemon's configuration.", options);
  reload.OnChosen(Runs(chosen, [=] { return Reload(*options); }));
}

}  // namespace headroom::cli
