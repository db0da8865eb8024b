#include <signal.h>

#include <exception>

#include "app/cli/command.h"
#include "app/cli/exit_code.h"
#include "app/cli/terminal.h"

int main(int argc, char** argv) {
  using namespace headroom;
  ::signal(SIGPIPE, SIG_IGN);  // write(2) returns an error instead

  cli::Program program("Local dictation and speech to text that leaves memory headroom.",
                       "headroom");
  program.ShowVersion("headroom " HEADROOM_VERSION);
  cli::Parser app = program.parser();
  app.RequireCommand();
  app.Footer(
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
    if (const auto code = program.Parse(argc, argv)) return *code;
  } catch (const std::exception& error) {
    return cli::Complain({Errc::kInvalid, error.what()});
  }
  return chosen ? cli::Guarded(chosen) : cli::kUsage;
}
