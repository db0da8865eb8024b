// headroom report, why and bundle: the analysis commands; observe/report declares their options.
#include <memory>

#include "app/cli/command.h"
#include "app/cli/terminal.h"
#include "observe/report/command.h"

namespace headroom::cli {

void AddReport(CLI::App& app, Action& chosen) {
  // The three share one action, since only one subcommand is called.
  const auto action = std::make_shared<report::Action>();
  const auto run = [action] {
    const Result<int> code = (*action)();
    return code ? *code : Complain(code.error());
  };
  CLI::App* report = app.add_subcommand(
      "report", "Report what happened to memory, and why, from records and logs.");
  report::AddReport(*report, *action);
  CLI::App* why = app.add_subcommand("why", "Show what happened at a given time, on one screen.");
  report::AddWhy(*why, *action);
  CLI::App* bundle =
      app.add_subcommand("bundle", "Write one redacted text file to attach to an issue.");
  report::AddBundle(*bundle, *action);
  app.final_callback([=, &chosen] {
    if (report->parsed() || why->parsed() || bundle->parsed()) chosen = run;
  });
}

}  // namespace headroom::cli
