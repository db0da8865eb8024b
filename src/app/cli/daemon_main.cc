// headroom-daemon: the service in the foreground. Users and systemd run `headroom daemon`.
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "app/cli/daemon_options.h"
#include "app/cli/exit_code.h"
#include "app/cli/terminal.h"
#include "app/daemon/service.h"
#include "app/desktop/announcement.h"
#include "app/desktop/desktop_notice.h"
#include "app/desktop/global_shortcut.h"
#include "app/desktop/notify.h"
#include "app/desktop/session_lock.h"
#include "app/desktop/sleep_watch.h"
#include "base/cancel.h"
#include "base/dirs.h"
#include "net/server/address.h"

namespace headroom::cli {
namespace {

CancelToken* stop = nullptr;
volatile sig_atomic_t reload = 0;
std::atomic<app::LogLevel> log_level = app::LogLevel::kInfo;

/// Announces the Wyoming server so that Home Assistant finds it; nullptr when only this machine can
/// reach it.
std::unique_ptr<desktop::Announcement> Announce(const std::string& listen) {
  const auto at = net::ParseListenAddress(listen);
  if (!at || at->address.is_loopback() || at->port == 0) return nullptr;
  char host[256] = "";
  static_cast<void>(::gethostname(host, sizeof(host) - 1));
  return std::make_unique<desktop::Announcement>(fmt::format("Headroom on {}", host),
                                                 "_wyoming._tcp", at->port);
}

/// The desktop's shortcut: held while speaking in push-to-talk mode, else pressed to toggle.
std::unique_ptr<desktop::GlobalShortcut> Shortcut(app::Service& service) {
  const app::Config& config = service.config();
  if (!config.shortcut.on) return nullptr;
  const bool hold = config.speech.mode == app::ListenMode::kPushToTalk;
  desktop::ShortcutEvents events;
  events.on_press = [&service, hold] { hold ? service.AskListen(true) : service.AskToggle(); };
  events.on_release = [&service, hold] {
    if (hold) service.AskListen(false);
  };
  events.on_change = [] {};
  return std::make_unique<desktop::GlobalShortcut>(config.shortcut.keys, std::move(events));
}

// Logs only events that contain nothing spoken.
void Log(const app::Event& event) {
  using enum app::LogLevel;
  const auto line = [](app::LogLevel level, const std::string& words) {
    if (level <= log_level.load() && !words.empty()) fmt::print(stderr, "headroom: {}\n", words);
  };
  std::visit(net::Visitor{
                 [&](const net::Warning& e) { line(kError, e.error.what); },
                 [&](const net::Restarting& e) { line(kWarning, e.reason); },
                 [&](const net::ActionTaken& e) {
                   const bool warns = e.action.kind == memory::ActionKind::kNotify;
                   line(warns ? kWarning : kDebug, e.action.reason);
                 },
                 [&](const net::Notice& e) { line(kInfo, e.text); },
                 [&](const net::TierChanged& e) { line(kInfo, e.text); },
                 [&](const net::StateChanged& e) { line(kDebug, e.state); },
                 [&](const net::SourceChanged& e) {
                   line(kDebug, "source " + e.device + " " + e.state + " " + e.trouble);
                 },
                 [](const auto&) {},
             },
             event);
}

// 256 connections, possibly all TLS, and 256 sessions with three files each need more than the
// usual limit of 1024.
void AllowFiles() {
  constexpr rlim_t kFiles = 4096;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= kFiles) return;
  files.rlim_cur = std::min(kFiles, files.rlim_max);
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &files));
}

int Run(const DaemonOptions& options) {
  AllowFiles();
  // Threads come and go with uploads and streams; an arena per thread would keep what they freed.
  ::mallopt(M_ARENA_MAX, 2);
  // Spoken text is in the memory of this process and of its workers: no core dumps.
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  CancelToken stopping;
  stop = &stopping;
  for (const int signal : {SIGINT, SIGTERM}) ::signal(signal, [](int) { stop->Raise(); });
  ::signal(SIGHUP, [](int) { reload = 1; });

  app::ServiceOptions service_options;
  service_options.config_file =
      options.config.empty() ? app::ConfigPath() : std::filesystem::path(options.config);
  service_options.settings = options.settings;
  service_options.state = options.state.empty() ? StateDir() : std::filesystem::path(options.state);
  service_options.also = [](const app::Event& event) { Log(event); };
  service_options.locked = desktop::SessionLocked;
  desktop::DesktopNotices notices;
  service_options.notify = [&notices](const std::string& title, const std::string& text) {
    static_cast<void>(notices.Show({.summary = title, .body = text}));  // fails without a desktop
  };
  auto service = app::Service::Make(std::move(service_options));
  if (!service) return Complain(service.error());
  app::Service& running = **service;
  log_level = running.config().log_level;

  std::optional<desktop::SleepWatch> sleep;
  sleep.emplace(
      desktop::SleepEvents{.on_sleep = [&] { running.AskSleep([&] { sleep->ReadyToSleep(); }); },
                           .on_resume = [&] { running.AskWake(); }});
  const auto shortcut = Shortcut(running);
  const auto announcement = Announce(running.config().wyoming.listen);
  const auto watchdog = desktop::WatchdogInterval();
  MonoTime fed = SystemClock().Now();

  fmt::print(stderr, "headroom: ready\n");
  desktop::NotifyReady("ready");
  const app::Ended ended = running.Run(stopping, [&] {
    if (std::exchange(reload, 0) != 0) running.AskReload();
    log_level = running.config().log_level;
    const MonoTime now = SystemClock().Now();
    if (watchdog && now - fed >= *watchdog) {
      desktop::NotifyWatchdog();
      fed = now;
    }
  });
  desktop::NotifyStopping("saving undelivered texts");
  sleep.reset();
  service->reset();
  stop = nullptr;
  // The unit's RestartForceExitStatus=75 makes systemd restart the service.
  return ended == app::Ended::kRestart ? kAgain : kOk;
}

}  // namespace
}  // namespace headroom::cli

int main(int argc, char** argv) {
  using namespace headroom;
  ::signal(SIGPIPE, SIG_IGN);  // write(2) returns an error instead
  cli::Program program("The service of headroom in the foreground.", "headroom-daemon");
  const auto options = cli::AddDaemonOptions(program.parser());
  if (const auto code = program.Parse(argc, argv)) return *code;
  return cli::Guarded([&] { return cli::Run(*options); });
}
