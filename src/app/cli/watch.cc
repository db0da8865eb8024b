// headroom watch TARGET: writes a flight record of any other program.
#include <poll.h>

#include <memory>
#include <string>

#include "app/cli/command.h"
#include "app/cli/terminal.h"
#include "app/cli/watch_session.h"
#include "base/dirs.h"
#include "base/duration.h"

namespace headroom::cli {
namespace {

struct Options {
  std::string target, gpu = "all", interval = "1s", length, output;
};

Result<> Watch(const Options& options) {
  TRY_ASSIGN(const watch::Target target, watch::ParseTarget(options.target));
  TRY_ASSIGN(const Milliseconds interval, ParseDuration(options.interval));
  if (interval < Milliseconds(10)) return Fail(Errc::kInvalid, "--interval: must be at least 10ms");
  std::optional<MonoTime> end;
  if (!options.length.empty()) {
    TRY_ASSIGN(const Milliseconds length, ParseDuration(options.length));
    end = SystemClock().Now() + length;
  }
  record::WriterOptions to;
  to.target = ToText(target);
  to.path = options.output.empty() ? StateDir() / "watch" / (FileNameOf(options.target) + ".db")
                                   : std::filesystem::path(options.output);
  const std::string path = to.path.string();
  to.thin.slowest = std::max(to.thin.slowest, interval);
  const CancelToken& interrupt = InterruptToken();
  TRY_ASSIGN(auto session,
             WatchSession::Begin(std::move(to), {.target = target, .gpus = options.gpu}));

  MonoTime due = SystemClock().Now();
  watch::Observation seen = session->Look(due);
  if (!seen.trouble.empty()) return Fail(Errc::kNotFound, "{}", seen.trouble);
  if (seen.processes == 0)
    Note(fmt::format("{} is not running; recording starts when it does", options.target));
  Note(fmt::format("recording to {}; press Ctrl-C to stop", path));
  while (true) {
    due += interval;
    const MonoTime now = SystemClock().Now();
    if (due < now) due = now;  // a slow driver, or the machine slept
    if (end && due > *end) break;
    const auto wait = std::chrono::ceil<Milliseconds>(due - now).count();
    pollfd ended{.fd = interrupt.fd(), .events = POLLIN, .revents = 0};
    ::poll(&ended, 1, static_cast<int>(wait));
    if (interrupt.raised()) break;
    session->Look(due);
    const record::WriterStatus status = session->writer().status();
    if (!status.recording && status.code == Errc::kPermission)
      return Fail(Errc::kPermission, "{}", status.trouble);
  }
  Note(session->Summary());
  return {};
}

}  // namespace

void AddWatch(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  Parser watch = app.Add(
      "watch", "Record the memory of a process, unit, container or cgroup, and of the GPUs.");
  watch.Footer("Targets and file format: docs/flight-record.md.");
  watch
      .AddOption("TARGET", options->target,
                 "A pid, a process name, NAME.service, container:NAME or a cgroup's /path")
      .Required();
  watch.AddOption("--gpu", options->gpu,
                  "all (default), none, or part of a GPU's name or PCI address");
  watch.AddOption("--interval", options->interval, "Time between samples, e.g. 500ms; default: 1s");
  watch.AddOption("--for", options->length, "Stop after this time, e.g. 12h");
  watch.AddOption("-o,--output", options->output,
                  "Path of the flight record; an existing one is continued");
  watch.OnChosen([=, &chosen] {
    chosen = [=] {
      const Result<> done = Watch(*options);
      return done ? kOk : Complain(done.error());
    };
  });
}

}  // namespace headroom::cli
