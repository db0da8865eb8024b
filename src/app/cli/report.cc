// headroom report, why and bundle: the analysis commands; observe/report declares their options.
#include <memory>

#include "app/cli/command.h"
#include "app/cli/terminal.h"
#include "observe/report/command.h"

namespace headroom::cli {

void AddReport(Parser app, Action& chosen) {
  // The three share one action, since only one subcommand is called.
  const auto action = std::make_shared<report::Action>();
  const auto run = [action] {
    const Result<int> code = (*action)();
    return code ? *code : Complain(code.error());
  };
  Parser report =
      app.Add("report", "Report what happened to memory, and why, from records and logs.");
  report::AddReport(report.app(), *action);
  Parser why = app.Add("why", "Show what happened at a given time, on one screen.");
  report::AddWhy(why.app(), *action);
  Parser bundle = app.Add("bundle", "Write one redacted text file to attach to an issue.");
  report::AddBundle(bundle.app(), *action);
  app.OnEnd([=, &chosen] {
    if (report.chosen() || why.chosen() || bundle.chosen()) chosen = run;
  });
}

}  // namespace headroom::cli
