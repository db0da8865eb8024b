#include "app/output/probe_typing.h"

#include <poll.h>
#include <stdlib.h>

#include <filesystem>
#include <optional>

#include "app/output/injector.h"
#include "app/output/run_program.h"
#include "base/child.h"
#include "base/file.h"

namespace headroom::output {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLine = "Headroom: Grüße, “quoted” 'it' \"it\" 12:30 \\ ~ ^ € 🎤 end.";
constexpr Milliseconds kOpens{8000}, kFocus{600}, kArrives{8000}, kLook{50};

void Sleep(Milliseconds time) {
  ::poll(nullptr, 0, static_cast<int>(time.count()));
}

struct Terminal {
  std::string name;
  std::vector<std::string> argv;  // before the command
};

std::optional<Terminal> FindTerminal(SessionKind session) {
  const std::vector<Terminal> wayland = {
      {"foot", {"foot"}}, {"alacritty", {"alacritty", "-e"}}, {"kitty", {"kitty"}}};
  const std::vector<Terminal> x11 = {
      {"xterm", {"xterm", "-u8", "-e"}}, {"alacritty", {"alacritty", "-e"}}, {"kitty", {"kitty"}}};
  for (const Terminal& terminal : session == SessionKind::kWayland ? wayland : x11) {
    if (HaveProgram(terminal.name)) return terminal;
  }
  return std::nullopt;
}

class TempFolder {
 public:
  TempFolder() {
    char pattern[] = "/tmp/headroom-doctor-XXXXXX";
    if (const char* made = ::mkdtemp(pattern)) path_ = made;
  }
  ~TempFolder() {
    std::error_code none;
    if (!path_.empty()) fs::remove_all(path_, none);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

template <class Condition>
bool Await(Condition condition, Milliseconds limit) {
  for (Milliseconds waited{0}; waited < limit; waited += kLook) {
    if (condition()) return true;
    Sleep(kLook);
  }
  return condition();
}

std::string Compare(const std::string& got) {
  const std::string want = kLine;
  if (got == want) return "exact";
  if (got.empty()) return "nothing arrived";
  std::size_t at = 0;
  while (at < got.size() && at < want.size() && got[at] == want[at]) ++at;
  return fmt::format("{} of {} bytes arrived, different from byte {}", got.size(), want.size(),
                     at + 1);
}

Result<std::string> RoundTrip(const std::string& name, const Terminal& terminal,
                              const InjectorContext& context) {
  TRY_ASSIGN(const std::unique_ptr<Injector> injector, MakeInjector(name, context));
  const TempFolder folder;
  if (folder.path().empty()) return Fail(Errc::kIo, "/tmp is not writable");
  const fs::path ready = folder.path() / "ready", typed = folder.path() / "typed";
  ChildOptions options{
      .argv = terminal.argv, .fds = {}, .environment = context.session.environment};
  options.argv.insert(options.argv.end(),
                      {"sh", "-c", "stty raw -echo; : > \"$0/ready\"; exec cat > \"$0/typed\"",
                       folder.path().string()});
  options.environment.emplace_back("LC_ALL", "C.UTF-8");
  TRY_ASSIGN(const Child window, Child::Spawn(options));
  if (!Await([&] { return fs::exists(ready); }, kOpens))
    return Fail(Errc::kTimeout, "{} did not open a window", terminal.name);
  Sleep(kFocus);
  TRY(injector->Type(kLine));
  const auto arrived = [&] { return ReadFile(typed).value_or(""); };
  Await([&] { return arrived().size() >= std::string_view(kLine).size(); }, kArrives);
  Sleep(2 * kLook);  // for extra characters
  TRY(injector->Finish());
  return Compare(arrived());
}

}  // namespace

Result<TypingReport> ProbeTyping(const TypingOptions& options) {
  const InjectorContext context{FindSession(), options, Milliseconds(5000)};
  TypingReport report{
      .session = context.session.kind, .terminal = "", .injectors = {}, .first_exact = ""};
  if (report.session == SessionKind::kNone)
    return Fail(Errc::kNotFound, "no graphical session to type into");
  const std::optional<Terminal> terminal = FindTerminal(report.session);
  if (terminal) report.terminal = terminal->name;
  for (const char* name : {"wtype", "xdotool", "paste", "ydotool"}) {
    InjectorReport one{.name = name, .exact = false, .what = ""};
    if (terminal) {
      const auto done = RoundTrip(name, *terminal, context);
      one.what = done ? *done : done.error().what;
      one.exact = done && *done == "exact";
    } else {
      const auto made = MakeInjector(name, context);
      one.what = made ? "installed, but not tested: no terminal (foot, xterm)" : made.error().what;
    }
    if (one.exact && report.first_exact.empty()) report.first_exact = name;
    report.injectors.push_back(std::move(one));
  }
  return report;
}

}  // namespace headroom::output
