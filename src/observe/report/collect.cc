#include "observe/report/collect.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "base/child.h"
#include "base/fd.h"

namespace headroom::report {
namespace {

using analyze::Format;

// What it says on standard error is for a terminal; its exit code is what counts here.
Result<> Run(const std::vector<std::string>& argv, const std::string& name, Format format,
             const analyze::ReadOptions& options, analyze::Evidence& evidence) {
  TRY_ASSIGN(Pipe pipe, MakePipe());
  TRY_ASSIGN(const Fd nowhere, Open("/dev/null", O_WRONLY));
  ChildOptions child;
  child.argv = argv;
  child.fds = {{1, pipe.write.get()}, {2, nowhere.get()}};
  child.environment = {{"LC_ALL", "C"}, {"SYSTEMD_COLORS", "0"}};
  TRY_ASSIGN(Child running, Child::Spawn(child));
  pipe.write.Reset();
  TRY(ReadEvidence(pipe.read.get(), name, format, options, evidence));
  TRY_ASSIGN(const Exit exit, running.Wait());
  if (!exit.ok() && !(argv.front() == "systemctl" && exit.code == 3))  // 3: not running
    return Fail(Errc::kIo, "{} {}", argv.front(), Describe(exit));
  return {};
}

std::string Epoch(analyze::Instant at) {
  return fmt::format("@{}",
                     std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count());
}

}  // namespace

std::vector<std::string> Collect(const std::string& unit, std::optional<analyze::Instant> from,
                                 std::optional<analyze::Instant> to,
                                 const analyze::ReadOptions& options, analyze::Evidence& evidence) {
  std::vector<std::string> range;
  if (from) range.push_back("--since=" + Epoch(*from));
  if (to) range.push_back("--until=" + Epoch(*to));
  std::vector<std::string> missing;
  const auto take = [&](std::vector<std::string> argv, const std::string& name, Format format,
                        bool journal) {
    if (journal) argv.insert(argv.end(), range.begin(), range.end());
    if (const Result<> done = Run(argv, name, format, options, evidence); !done)
      missing.push_back(fmt::format("{}: {}", name, done.error().what));
    else if (journal && evidence.sources().back().lines == 0)
      missing.push_back(name +
                        ": no lines of that time (nothing was logged, or only group "
                        "systemd-journal may read it)");
  };
  take({"journalctl", "--quiet", "--no-pager", "-o", "json", "-u", unit}, "journal of " + unit,
       Format::kJournalJson, true);
  take({"journalctl", "--quiet", "--no-pager", "-o", "json", "-k"}, "journal of the kernel",
       Format::kJournalJson, true);
  take({"systemctl", "status", "--no-pager", "--lines=0", unit}, "systemctl status",
       Format::kStatus, false);
  take({"nvidia-smi", "--query-gpu=timestamp,index,memory.used,memory.total", "--format=csv"},
       "nvidia-smi", Format::kCsv, false);
  return missing;
}

}  // namespace headroom::report
