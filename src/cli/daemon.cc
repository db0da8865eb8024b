// headroom daemon: the service in the foreground, as systemd runs it.
#include <signal.h>

#include "base/cancel.h"
#include "base/dirs.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "daemon/service.h"

namespace headroom::cli {
namespace {

struct Options {
  std::string config, state;
  std::vector<std::string> settings;
};

CancelToken* stop = nullptr;
volatile sig_atomic_t reload = 0;

int Run(const Options& options) {
  CancelToken stopping;
  stop = &stopping;
  for (const int signal : {SIGINT, SIGTERM}) ::signal(signal, [](int) { stop->Raise(); });
  ::signal(SIGHUP, [](int) { reload = 1; });

  daemon::ServiceOptions service_options;
  service_options.config_file =
      options.config.empty() ? daemon::ConfigPath() : std::filesystem::path(options.config);
  service_options.settings = options.settings;
  service_options.state = options.state.empty() ? StateDir() : std::filesystem::path(options.state);
  service_options.also = [](const daemon::Event& event) {
    // Nothing spoken: only these have a line, and their "what" is about the service.
    if (event.name == "trouble" || event.name == "notice" || event.name == "tier" ||
        event.name == "restart") {
      fmt::print(stderr, "headroom: {}\n",
                 event.data.value("text", event.data.value("reason", std::string(event.name))));
    } else if (event.name == "action" && event.data.value("verb", "") == "tell") {
      fmt::print(stderr, "headroom: {}\n", event.data.value("reason", ""));
    }
  };
  auto service = daemon::Service::Make(std::move(service_options));
  if (!service) return Complain(service.error());
  fmt::print(stderr, "headroom: ready\n");
  const daemon::Ended ended = (*service)->Run(stopping, [&] {
    if (reload != 0) {
      reload = 0;
      (*service)->AskReload();
    }
  });
  service->reset();
  stop = nullptr;
  // systemd starts it again: RestartForceExitStatus=75 in the unit.
  return ended == daemon::Ended::kRestart ? kAgain : kOk;
}

}  // namespace

void AddDaemon(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("daemon", "Run the dictation service in the foreground, as systemd does.");
  command->add_option("--config", options->config, "configuration file");
  command
      ->add_option("--set", options->settings,
                   "a setting over the file, such as speech.mode=hands_free (repeatable)")
      ->allow_extra_args(false);
  command->add_option("--state", options->state, "folder for spool, history and flight record");
  command->callback([options, &chosen] { chosen = [options] { return Run(*options); }; });
}

}  // namespace headroom::cli
