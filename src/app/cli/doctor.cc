// headroom doctor: checks everything that dictation needs and says how to fix what is missing.
#include "app/cli/doctor.h"

#include <unistd.h>

#include <algorithm>
#include <functional>

#include "app/cli/command.h"
#include "app/cli/daemon_client.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "app/output/probe_typing.h"

namespace headroom::cli {
namespace {

using nlohmann::json;

struct Options {
  bool json = false;
  std::string socket;
};

const char* Name(Health health) {
  switch (health) {
    case Health::kOk:
      return "ok";
    case Health::kWarn:
      return "warn";
    case Health::kFail:
      break;
  }
  return "fail";
}

// The topic in JSON, where programs may compare it: GPUs keep their earlier name there.
std::string JsonTopic(const std::string& topic) {
  return topic.starts_with("GPU") ? "card" + topic.substr(3) : topic;
}

void Print(const Finding& finding) {
  const bool colours = ::isatty(STDOUT_FILENO) == 1;
  const char* colour = finding.health == Health::kOk     ? "\033[32m"
                       : finding.health == Health::kWarn ? "\033[33m"
                                                         : "\033[31m";
  fmt::print("{}{:<4}{}  {:<13}  {}\n", colours ? colour : "", Name(finding.health),
             colours ? "\033[0m" : "", finding.topic, finding.what);
  if (!finding.next.empty()) fmt::print("{:21}-> {}\n", "", finding.next);
  std::fflush(stdout);
}

int RunDoctor(const Options& options) {
  DoctorContext context{.config = {}, .socket = options.socket};
  const std::vector<std::function<Findings()>> checks = {
      [&] { return CheckConfig(context); },  [&] { return CheckMicrophone(context); },
      [&] { return CheckModels(context); },  [&] { return CheckPrograms(context); },
      [&] { return CheckGpus(context); },    [&] { return CheckGpuWorkers(context); },
      [&] { return CheckDisk(context); },    [&] { return CheckLimits(context); },
      [&] { return CheckOutput(context); },  [&] { return CheckShortcut(context); },
      [&] { return CheckService(context); }, [&] { return CheckDaemon(context); },
  };
  json all = json::array();
  bool failed = false;
  for (const auto& check : checks) {
    for (const Finding& finding : check()) {
      failed |= finding.health == Health::kFail;
      if (options.json)
        all.push_back({{"health", Name(finding.health)},
                       {"topic", JsonTopic(finding.topic)},
                       {"what", finding.what},
                       {"next", finding.next}});
      else
        Print(finding);
    }
  }
  if (options.json) PrintJson({{"ok", !failed}, {"findings", all}});
  return failed ? kFailed : kOk;
}

Result<int> TryTyping(const Options& options) {
  Note("testing each typing method in its own terminal; do not touch the keyboard or mouse");
  TRY_ASSIGN(const output::TypingReport report, output::ProbeTyping({}));
  json ways = json::array();
  for (const output::InjectorReport& way : report.injectors) {
    if (options.json)
      ways.push_back({{"name", way.name}, {"exact", way.exact}, {"what", way.what}});
    else
      Print({way.exact ? Health::kOk : Health::kWarn, way.name, way.what, ""});
  }
  if (options.json)
    PrintJson({{"terminal", report.terminal}, {"ways", ways}, {"first_exact", report.first_exact}});
  else if (report.terminal.empty())
    Note("nothing was tested; install foot (Wayland) or xterm (X11)");
  else if (report.first_exact.empty())
    Note("no method types exactly; use the clipboard or command target, see docs/desktop.md");
  else
    fmt::print(
        "\nTo always use the method that typed exactly, put this into {}:\n\n[output]\ntyping = "
        "\"{}\"\n",
        app::ConfigPath().string(), report.first_exact);
  return report.first_exact.empty() ? kFailed : kOk;
}

}  // namespace

void AddDoctor(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  Parser doctor = app.Add("doctor", "Check everything that dictation needs, and say what to do.");
  doctor.AddFlag("--json", options->json, "Print JSON");
  AddSocketOption(doctor, options->socket);
  doctor.Footer("Exits with 1 when a check fails; warnings do not count.");
  doctor.OnChosen([options, doctor, &chosen] {
    if (!doctor.subcommand_chosen()) chosen = [options] { return RunDoctor(*options); };
  });
  Parser output = doctor.Add("output", "Test each typing method in a terminal that it opens.");
  output.AddFlag("--json", options->json, "Print JSON");
  output.OnChosen(Runs(chosen, options, TryTyping));
}

}  // namespace headroom::cli
