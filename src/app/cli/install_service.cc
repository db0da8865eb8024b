// headroom install-service: writes a systemd user unit that runs this program.
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "app/cli/command.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "base/child.h"
#include "base/dirs.h"
#include "base/file.h"

namespace headroom::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kUnit[] = "headroom.service";
constexpr char kOrigin[] = "Written by headroom install-service, which replaces it when run again.";

struct Options {
  bool now = false, remove = false;
};

fs::path UnitPath() {
  return ConfigDir().parent_path() / "systemd/user" / kUnit;
}

// Quotes a path for ExecStart= (systemd.service(5)) and doubles its specifiers.
std::string Escaped(const std::string& path) {
  std::string text = "\"";
  for (const char c : path) {
    if (c == '%' || c == '$') text += c;
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

void Replace(std::string& text, std::string_view what, std::string_view with) {
  if (const auto at = text.find(what); at != std::string::npos) text.replace(at, what.size(), with);
}

Result<std::string> UnitText() {
  TRY_ASSIGN(const fs::path source, FindShared("headroom.service.in"));
  TRY_ASSIGN(std::string text, ReadFile(source, MiB(1)));
  std::error_code failed;
  const fs::path self = fs::read_symlink("/proc/self/exe", failed);
  if (failed)
    return Fail(Errc::kInternal, "cannot find the path of this program: {}", failed.message());
  Replace(text, "@ORIGIN@", kOrigin);
  Replace(text, "@HEADROOM@", Escaped(self.string()));
  return text;
}

Result<> Systemctl(std::vector<std::string> arguments) {
  std::vector<std::string> argv = {"systemctl", "--user"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  auto child = Child::Spawn({.argv = argv, .fds = {}, .environment = {}});
  if (!child) return Within(child, "systemctl");
  TRY_ASSIGN(const Exit exit, child->Wait());
  if (!exit.ok()) return Fail(Errc::kIo, "'{}' {}", fmt::join(argv, " "), Describe(exit));
  return {};
}

Result<int> Install(const Options& options) {
  TRY_ASSIGN(const std::string text, UnitText());
  const fs::path path = UnitPath();
  if (const auto before = ReadFile(path, MiB(1)); before && !before->contains(kOrigin))
    return Fail(Errc::kExists, "{} exists and was not written by this command; move it away first",
                path.string());
  TRY(MakeDirectories(path.parent_path()));
  TRY(WriteFileAtomic(path, text, 0644));
  fmt::print("{}\n", path.string());
  auto enabled = Systemctl({"daemon-reload"});
  if (enabled)
    enabled = options.now ? Systemctl({"enable", "--now", kUnit}) : Systemctl({"enable", kUnit});
  if (!enabled) {
    enabled.error().what += fmt::format(
        "; the unit is written; enable it in your session with: systemctl --user enable --now {}",
        kUnit);
    return Fail(std::move(enabled.error()));
  }
  fmt::print(
      "enabled: the daemon starts when you log in{}\n",
      options.now ? ", and is running now" : "; to start it now: systemctl --user start headroom");
  return kOk;
}

Result<int> Remove() {
  const fs::path path = UnitPath();
  TRY_ASSIGN(const std::string text, ReadFile(path, MiB(1)));
  if (!text.contains(kOrigin))
    return Fail(Errc::kExists, "{} was not written by this command; remove it yourself",
                path.string());
  const auto disabled = Systemctl({"disable", "--now", kUnit});
  if (!disabled) Note(disabled.error().what);
  if (::unlink(path.c_str()) != 0) return FailErrno(errno, "remove {}", path.string());
  if (disabled) TRY(Systemctl({"daemon-reload"}));
  fmt::print("{} removed\n", path.string());
  return kOk;
}

}  // namespace

void AddInstallService(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  Parser install = app.Add("install-service",
                           "Install a systemd user unit that runs the daemon in your sessions.");
  Option now = install.AddFlag("--now", options->now, "Also start it now");
  install.AddFlag("--remove", options->remove, "Stop it and remove the unit").Excludes(now);
  install.Footer("What the unit contains, and why: docs/desktop.md.");
  install.OnChosen(Runs(chosen, [=] { return options->remove ? Remove() : Install(*options); }));
}

}  // namespace headroom::cli
