#include "app/daemon/report_runner.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/child.h"
#include "base/dirs.h"
#include "base/duration.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"

namespace headroom::app {
namespace {

constexpr Milliseconds kReportWithin{45'000};
constexpr Bytes kMostHtml = MiB(32);
constexpr int kNothingKnown = 4;  // headroom-report's code for a record without numbers

Result<std::string> MakeReport(const std::filesystem::path& record, Milliseconds since) {
  TRY_ASSIGN(const std::filesystem::path program, FindProgram("headroom-report"));
  const Fd page(::memfd_create("report", MFD_CLOEXEC)), said(::memfd_create("said", MFD_CLOEXEC));
  if (!page || !said) return FailErrno(errno, "report");
  TRY_ASSIGN(Child child, Child::Spawn({.argv = {program, "report", "--input", record, "--since",
                                                 FormatDuration(since), "--format", "html",
                                                 "--title", "Headroom"},
                                        .fds = {{1, page.get()}, {2, said.get()}},
                                        .environment = {}}));
  // Speech that comes meanwhile goes first.
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(child.pid()), 10));
  TRY_ASSIGN(const auto exit, child.WaitUntil(SystemClock().Now() + kReportWithin));
  if (!exit) return Fail(Errc::kTimeout, "the report takes too long; headroom report has no limit");
  const auto text = [](const Fd& fd) {
    return ReadFile(fmt::format("/proc/self/fd/{}", fd.get()), kMostHtml);
  };
  if (!exit->ok()) {
    const std::string why = text(said).value_or("");
    if (exit->code == kNothingKnown && exit->signal == 0)
      return Fail(Errc::kNotFound,
                  "nothing is recorded of the last {} yet; a record begins with the service, and "
                  "has its first numbers after some seconds",
                  FormatDuration(since));
    return Fail(Errc::kInternal, "headroom-report {}{}{}", Describe(*exit), why.empty() ? "" : ": ",
                Printable(why.substr(0, why.find('\n'))));
  }
  return text(page);
}

}  // namespace

ReportRunner::ReportRunner(Maker make) : make_(make ? std::move(make) : Maker(MakeReport)) {}

void ReportRunner::Make(const std::filesystem::path& record, const std::string& since,
                        net::Answer answer) {
  const auto length = ParseDuration(since);
  if (!length || length->count() <= 0)
    return answer(Fail(Errc::kInvalid, "since has to be a length of time, such as 12h"));
  if (record.empty()) return answer(Fail(Errc::kNotFound, "no flight record is kept"));
  if (making_.busy()) return answer(Fail(Errc::kBusy, "another report is being made"));
  making_.Start(
      [this, record, length = *length]() -> Result<nlohmann::json> {
        TRY_ASSIGN(std::string html, make_(record, length));
        return nlohmann::json{{"html", std::move(html)}};
      },
      std::move(answer));
}

}  // namespace headroom::app
