// Checks the session: configuration, output, shortcut, systemd unit, running daemon.
#include <algorithm>

#include "app/cli/daemon_client.h"
#include "app/cli/doctor.h"
#include "app/desktop/shortcut_portal.h"
#include "app/output/injector.h"
#include "app/output/run_program.h"
#include "base/dirs.h"
#include "base/file.h"
#include "net/control/client.h"
#include "net/control/status.h"
#include "net/server/local_socket.h"

namespace headroom::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kUnit[] = "headroom.service";

const char* Name(output::SessionKind kind) {
  switch (kind) {
    case output::SessionKind::kX11:
      return "X11";
    case output::SessionKind::kWayland:
      return "Wayland";
    case output::SessionKind::kNone:
      break;
  }
  return "no graphical session";
}

}  // namespace

std::string FindUserUnit(const std::string& name) {
  const fs::path own = ConfigDir().parent_path() / "systemd/user" / name;
  std::error_code none;
  for (const fs::path& path :
       {own, fs::path("/etc/systemd/user") / name, fs::path("/usr/local/lib/systemd/user") / name,
        fs::path("/usr/lib/systemd/user") / name}) {
    if (fs::exists(path, none)) return path;
  }
  return "";
}

Findings CheckConfig(DoctorContext& context) {
  const fs::path path = app::ConfigPath();
  const auto text = ReadFile(path, MiB(1));
  if (!text && text.error().code == Errc::kNotFound)
    return {{Health::kOk, "configuration", "every key has its default", ""}};
  if (!text) return {{Health::kFail, "configuration", text.error().what, ""}};
  app::ConfigReading reading = app::ReadConfig(*text);
  if (!reading.problems.empty())
    return {{Health::kFail, "configuration",
             fmt::format("{}:{}: {}", path.string(), reading.problems[0].line,
                         reading.problems[0].text),
             "headroom config check lists every mistake"}};
  context.config = std::move(reading.config);
  return {{Health::kOk, "configuration", path.string(), ""}};
}

Findings CheckOutput(const DoctorContext& context) {
  const auto& targets = context.config.output.targets;
  if (std::ranges::find(targets, output::TargetKind::kType) == targets.end())
    return {{Health::kOk, "typing", "not used: output.targets does not contain type", ""}};
  const output::InjectorContext injectors{output::FindSession(), {}, Milliseconds(2000)};
  if (injectors.session.kind == output::SessionKind::kNone)
    return {{Health::kWarn, "typing", "no graphical session to type into",
             "texts are kept; deliver them later with: headroom history paste"}};
  std::string usable, missing;
  for (const char* name : {"wtype", "xdotool", "paste", "ydotool"}) {
    const auto made = output::MakeInjector(name, injectors);
    if (made)
      usable += (usable.empty() ? "" : ", ") + std::string(name);
    else if (made.error().code == Errc::kNotFound)
      missing += (missing.empty() ? "" : "; ") + made.error().what;
  }
  const std::string session = Name(injectors.session.kind);
  if (usable.empty())
    return {{Health::kFail, "typing", fmt::format("nothing can type into {}", session), missing}};
  return {{Health::kOk, "typing", fmt::format("into {}: {}", session, usable),
           "headroom doctor output tests each"}};
}

Findings CheckShortcut(const DoctorContext& context) {
  if (!context.config.shortcut.on)
    return {{Health::kOk, "shortcut", "not used: shortcut.on is false", ""}};
  const auto version = desktop::ShortcutPortalVersion();
  if (!version)
    return {{Health::kWarn, "shortcut", version.error().what,
             "bind 'headroom toggle' to a key in the desktop's settings; see docs/desktop.md"}};
  return {{Health::kOk, "shortcut",
           fmt::format("the desktop's portal binds global shortcuts (version {})", *version), ""}};
}

Findings CheckService(const DoctorContext&) {
  const std::string path = FindUserUnit(kUnit);
  if (path.empty())
    return {{Health::kWarn, "service", "no systemd unit is installed",
             "headroom install-service --now"}};
  const auto asked = output::RunProgram(
      {.argv = {"systemctl", "--user", "is-enabled", kUnit}, .deadline = Milliseconds(3000)});
  const std::string said = asked ? asked->out.substr(0, asked->out.find('\n')) : "";
  if (said.empty())
    return {{Health::kWarn, "service", path + "; the user's systemd does not respond",
             "systemctl --user status shows why"}};
  if (said != "enabled")
    return {{Health::kWarn, "service", path + " is " + said,
             fmt::format("systemctl --user enable --now {}", kUnit)}};
  return {{Health::kOk, "service", path + " is enabled", ""}};
}

Findings CheckDaemon(const DoctorContext& context) {
  const fs::path socket = DaemonSocket(context.socket);
  if (!net::ListenerAt(socket))
    return {{Health::kWarn, "daemon", "not running: nothing listens on " + socket.string(),
             "systemctl --user start headroom, or headroom daemon"}};
  const auto answer =
      net::ControlClient(socket).Ask("GET", "/v1/status", nullptr, Milliseconds(5000));
  if (!answer)
    return {{Health::kFail, "daemon", answer.error().what, "systemctl --user restart headroom"}};
  const auto status = net::ParseStatus(*answer);
  if (!status)
    return {{Health::kFail, "daemon", status.error().what, "systemctl --user restart headroom"}};
  Findings findings = {{Health::kOk, "daemon",
                        fmt::format("running, pid {}, {}", status->pid, Name(status->phase)), ""}};
  if (status->version != HEADROOM_VERSION)
    findings[0] = {
        Health::kWarn, "daemon",
        fmt::format("running version {}, but this is {}", status->version, HEADROOM_VERSION),
        "systemctl --user restart headroom"};
  for (const std::string& warning : status->troubles)
    findings.push_back({Health::kWarn, "daemon", warning, ""});
  return findings;
}

}  // namespace headroom::cli
