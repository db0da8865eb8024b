// headroom run -- COMMAND: records a command and all its children until it ends.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "app/cli/watch_session.h"
#include "base/dirs.h"
#include "base/duration.h"
#include "observe/watch/command.h"

namespace headroom::cli {
namespace {

// A shell's exit codes when it cannot run a command.
constexpr int kCannotRun = 126, kNoSuchCommand = 127;

std::atomic<bool> terminated = false;

struct Options {
  std::vector<std::string> command;
  std::string gpu = "all", interval = "100ms", output;
  bool quiet = false;
};

std::string Stamp() {
  const std::time_t now = std::chrono::system_clock::to_time_t(SystemClock().WallNow());
  std::tm local{};
  ::localtime_r(&now, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &local);
  return text;
}

// Ctrl-C and Ctrl-\ reach the command from the terminal, so this process ignores them and runs
// until the command ends. SIGTERM is passed on to the command.
void LeaveSignalsToTheCommand() {
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGQUIT, SIG_IGN);
  struct sigaction action{};
  action.sa_handler = [](int) { terminated = true; };
  ::sigaction(SIGTERM, &action, nullptr);
}

Result<int> Run(const Options& options) {
  TRY_ASSIGN(const Milliseconds interval, ParseDuration(options.interval));
  if (interval < Milliseconds(10)) return Fail(Errc::kInvalid, "--interval: must be at least 10ms");
  record::WriterOptions to;
  const std::string name = std::filesystem::path(options.command[0]).filename();
  to.target = "command:" + name;
  to.path =
      options.output.empty()
          ? StateDir() / "run" / fmt::format("{}-{}-{}.db", FileNameOf(name), Stamp(), ::getpid())
          : std::filesystem::path(options.output);
  // A command is recorded in detail: every change, up to 50 MB a day.
  to.thin.bands = 0, to.thin.bytes_per_day = 50e6, to.thin.burst = 8e6;
  const std::string path = to.path.string();
  watch::WatchOptions of;
  of.target = {watch::TargetKind::kChildren, to.target, ::getpid()};
  of.gpus = options.gpu;
  of.look_every = std::max(interval, Milliseconds(200));
  TRY_ASSIGN(auto session, WatchSession::Begin(std::move(to), std::move(of)));

  LeaveSignalsToTheCommand();
  const MonoTime began = SystemClock().Now();
  Result<watch::Command> command = watch::Command::Start(options.command);
  if (!command) {
    Note(command.error().what);
    return command.error().code == Errc::kNotFound ? kNoSuchCommand : kCannotRun;
  }
  MonoTime due = began;
  std::optional<Exit> exit;
  while (!exit) {
    session->Look(due);
    due = std::max(due + interval, SystemClock().Now());
    TRY_ASSIGN(exit, command->WaitUntil(due));
    if (terminated.exchange(false)) command->Signal(SIGTERM);
  }
  const auto took = std::chrono::duration_cast<Milliseconds>(SystemClock().Now() - began);
  record::Event ended{record::EventKind::kTarget, record::Now(SystemClock()), {}};
  ended.With(record::Key::kStep, "exited").With(record::Key::kName, name);
  ended.With(record::Key::kPid, command->pid()).With(record::Key::kMs, took.count());
  ended.With(record::Key::kBytes, command->most_rss().n);
  if (exit->signal != 0)
    ended.With(record::Key::kSignal, exit->signal);
  else
    ended.With(record::Key::kExitCode, exit->code);
  session->writer().Note(std::move(ended));
  session->writer().Flush();
  if (!options.quiet)
    Note(fmt::format("{}; largest resident set of a process: {}; recorded in {}",
                     session->Summary(), FormatBinary(command->most_rss()), path));
  return exit->signal != 0 ? 128 + exit->signal : exit->code;
}

}  // namespace

void AddRun(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  Parser run = app.Add(
      "run", "Run a command, record its memory and its children's, and return its exit code.");
  run.Footer("Example: headroom run -o build.db -- make -j8. See docs/flight-record.md.");
  run.AddOption("COMMAND", options->command, "Command and its arguments, after --").Required();
  run.AddOption("--gpu", options->gpu,
                "all (default), none, or part of a GPU's name or PCI address");
  run.AddOption("--interval", options->interval, "Time between samples; default: 100ms");
  run.AddOption("-o,--output", options->output, "Path of the flight record");
  run.AddFlag("-q,--quiet", options->quiet, "Print no summary");
  run.OnChosen(Runs(chosen, options, Run));
}

}  // namespace headroom::cli
