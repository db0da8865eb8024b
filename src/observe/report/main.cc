// headroom-report: the analyst alone, without audio and engine.
#include <fmt/format.h>
#include <signal.h>
#include <CLI/CLI.hpp>

#include <exception>

#include "observe/report/command.h"

namespace {

int Complain(const headroom::Error& error) {
  fmt::print(stderr, "headroom: {}\n", error.what);
  switch (error.code) {
    case headroom::Errc::kInvalid:
      return 2;
    case headroom::Errc::kNotFound:
      return 3;
    case headroom::Errc::kCorrupt:
    case headroom::Errc::kUnsupported:
      return 4;
    case headroom::Errc::kPermission:
    case headroom::Errc::kNoSpace:
    case headroom::Errc::kNoMemory:
      return 6;
    default:
      return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  using namespace headroom;
  ::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Memory reports from logs and samples.", "headroom-report");
  app.set_version_flag("--version", "headroom-report " HEADROOM_VERSION);
  app.require_subcommand(1);
  report::Action chosen;
  report::AddReport(
      *app.add_subcommand("report", "What happened to memory, with causes and advice."), chosen);
  report::AddWhy(*app.add_subcommand("why", "What happened at a time, on one screen."), chosen);
  report::AddBundle(*app.add_subcommand("bundle", "One redacted text file to attach to an issue."),
                    chosen);
  try {
    app.parse(argc, argv);
    if (!chosen) return 2;
    const Result<int> code = chosen();
    return code ? *code : Complain(code.error());
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::bad_alloc&) {
    return Complain({Errc::kNoMemory, "out of memory"});
  } catch (const std::exception& error) {
    return Complain({Errc::kInternal, error.what()});
  }
}
