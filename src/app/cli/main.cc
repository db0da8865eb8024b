#include <signal.h>

#include <CLI/CLI.hpp>
#include <exception>

#include "app/cli/command.h"
#include "app/cli/exit_code.h"
#include "app/cli/terminal.h"

int main(int argc, char** argv) {
  using namespace headroom;
  ::signal(SIGPIPE, SIG_IGN);  // write(2) returns an error instead

  CLI::App app("Local dictation and speech to text that leaves memory headroom.", "headroom");
  app.set_version_flag("--version", "headroom " HEADROOM_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit codes and every option: docs/cli.md. Run 'headroom COMMAND --help' for one command.");

  cli::Action chosen;
  cli::AddDictate(app, chosen);
  cli::AddDaemon(app, chosen);
  cli::AddTranscribe(app, chosen);
  cli::AddListen(app, chosen);
  cli::AddStatus(app, chosen);
  cli::AddHistory(app, chosen);
  cli::AddBench(app, chosen);
  cli::AddConfig(app, chosen);
  cli::AddDevices(app, chosen);
  cli::AddDoctor(app, chosen);
  cli::AddInstallService(app, chosen);
  cli::AddModels(app, chosen);
  cli::AddToken(app, chosen);
  cli::AddGovernor(app, chosen);
  cli::AddPlan(app, chosen);
  cli::AddCalibrate(app, chosen);
  cli::AddReport(app, chosen);
  cli::AddWatch(app, chosen);
  cli::AddTop(app, chosen);
  cli::AddRun(app, chosen);
  cli::AddYield(app, chosen);
  cli::AddDrain(app, chosen);
  cli::AddCompletion(app, chosen);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? cli::kOk : cli::kUsage;
  } catch (const std::exception& error) {
    return cli::Complain({Errc::kInvalid, error.what()});
  }
  return chosen ? cli::Guarded(chosen) : cli::kUsage;
}
