// headroom-daemon: the service in the foreground. People and systemd say `headroom daemon`.
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "api/address.h"
#include "base/cancel.h"
#include "base/dirs.h"
#include "cli/daemon_options.h"
#include "cli/exit_code.h"
#include "cli/terminal.h"
#include "daemon/service.h"
#include "system/announcement.h"
#include "system/desktop_notice.h"
#include "system/global_shortcut.h"
#include "system/notify.h"
#include "system/session_lock.h"
#include "system/sleep_watch.h"

namespace headroom::cli {
namespace {

CancelToken* stop = nullptr;
volatile sig_atomic_t reload = 0;
std::atomic<daemon::LogLevel> log_level = daemon::LogLevel::kInfo;

/// So that Home Assistant finds the service by itself; nobody is told of what only we can reach.
std::unique_ptr<system::Announcement> Announce(const std::string& listen) {
  const auto at = api::ParseListenAddress(listen);
  if (!at || at->address.is_loopback() || at->port == 0) return nullptr;
  char host[256] = "";
  static_cast<void>(::gethostname(host, sizeof(host) - 1));
  return std::make_unique<system::Announcement>(fmt::format("Headroom on {}", host),
                                                "_wyoming._tcp", at->port);
}

/// The desktop's key: held down while speaking in push-to-talk mode, else pressed to begin and end.
std::unique_ptr<system::GlobalShortcut> Shortcut(daemon::Service& service) {
  const daemon::Config& config = service.config();
  if (!config.shortcut.on) return nullptr;
  const bool hold = config.speech.mode == daemon::ListenMode::kPushToTalk;
  system::ShortcutEvents events;
  events.on_press = [&service, hold] { hold ? service.AskListen(true) : service.AskToggle(); };
  events.on_release = [&service, hold] {
    if (hold) service.AskListen(false);
  };
  events.on_change = [] {};
  return std::make_unique<system::GlobalShortcut>(config.shortcut.keys, std::move(events));
}

// Nothing spoken: only these have a line.
void Log(const daemon::Event& event) {
  using enum daemon::LogLevel;
  const auto text = [&](const char* member) { return event.data.value(member, ""); };
  const auto line = [](daemon::LogLevel level, const std::string& words) {
    if (level <= log_level.load() && !words.empty()) fmt::print(stderr, "headroom: {}\n", words);
  };
  if (event.name == "trouble") {
    line(kError, text("text"));
  } else if (event.name == "restart") {
    line(kWarning, text("reason"));
  } else if (event.name == "action") {
    line(text("verb") == "tell" ? kWarning : kDebug, text("reason"));
  } else if (event.name == "notice" || event.name == "tier") {
    line(kInfo, text("text"));
  } else if (event.name == "state") {
    line(kDebug, text("state"));
  } else if (event.name == "source") {
    line(kDebug, "source " + text("device") + " " + text("state") + " " + text("trouble"));
  }
}

// 256 connections, each of them perhaps a TLS one, and 256 sessions with three files each are more
// than the usual 1024.
void AllowFiles() {
  constexpr rlim_t kFiles = 4096;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= kFiles) return;
  files.rlim_cur = std::min(kFiles, files.rlim_max);
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &files));
}

int Run(const DaemonOptions& options) {
  AllowFiles();
  // Threads come and go with recordings and streams; a heap for each would keep what they freed.
  ::mallopt(M_ARENA_MAX, 2);
  // What was said is in our memory, and in the workers': no core dumps of it.
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  CancelToken stopping;
  stop = &stopping;
  for (const int signal : {SIGINT, SIGTERM}) ::signal(signal, [](int) { stop->Raise(); });
  ::signal(SIGHUP, [](int) { reload = 1; });

  daemon::ServiceOptions service_options;
  service_options.config_file =
      options.config.empty() ? daemon::ConfigPath() : std::filesystem::path(options.config);
  service_options.settings = options.settings;
  service_options.state = options.state.empty() ? StateDir() : std::filesystem::path(options.state);
  service_options.also = [](const daemon::Event& event) { Log(event); };
  service_options.locked = system::SessionLocked;
  system::DesktopNotices notices;
  service_options.notify = [&notices](const std::string& title, const std::string& text) {
    static_cast<void>(notices.Show({.summary = title, .body = text}));  // there may be no desktop
  };
  auto service = daemon::Service::Make(std::move(service_options));
  if (!service) return Complain(service.error());
  daemon::Service& running = **service;
  log_level = running.config().log_level;

  std::optional<system::SleepWatch> sleep;
  sleep.emplace(
      system::SleepEvents{.on_sleep = [&] { running.AskSleep([&] { sleep->ReadyToSleep(); }); },
                          .on_resume = [&] { running.AskWake(); }});
  const auto shortcut = Shortcut(running);
  const auto announcement = Announce(running.config().wyoming.listen);
  const auto watchdog = system::WatchdogInterval();
  MonoTime fed = SystemClock().Now();

  fmt::print(stderr, "headroom: ready\n");
  system::NotifyReady("ready");
  const daemon::Ended ended = running.Run(stopping, [&] {
    if (std::exchange(reload, 0) != 0) running.AskReload();
    log_level = running.config().log_level;
    const MonoTime now = SystemClock().Now();
    if (watchdog && now - fed >= *watchdog) {
      system::NotifyWatchdog();
      fed = now;
    }
  });
  system::NotifyStopping("keeping what is not delivered");
  sleep.reset();
  service->reset();
  stop = nullptr;
  // systemd starts it again: RestartForceExitStatus=75 in the unit.
  return ended == daemon::Ended::kRestart ? kAgain : kOk;
}

}  // namespace
}  // namespace headroom::cli

int main(int argc, char** argv) {
  using namespace headroom;
  ::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is an error of write(2), not our death
  CLI::App app("The service of headroom in the foreground.", "headroom-daemon");
  const auto options = cli::AddDaemonOptions(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? cli::kOk : cli::kUsage;
  }
  return cli::Guarded([&] { return cli::Run(*options); });
}
