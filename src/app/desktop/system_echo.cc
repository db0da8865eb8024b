// headroom-system-echo: prints system events and runs commands, for tests that simulate the system.
// Standard input: "ready" (to sleep) and "state"; ends with its input.
#include <iostream>
#include <string>

#include "app/desktop/announcement.h"
#include "app/desktop/global_shortcut.h"
#include "app/desktop/sleep_watch.h"
#include "base/mutex.h"

int main() {
  using namespace headroom;
  Mutex mutex;
  const auto say = [&mutex](const std::string& what) {
    const MutexLock guard(mutex);
    std::cout << what << std::endl;
  };
  constexpr Milliseconds kAgain(100);
  desktop::SleepWatch sleep(
      {.on_sleep = [&] { say("sleep"); }, .on_resume = [&] { say("resume"); }}, kAgain);
  desktop::GlobalShortcut shortcut("CTRL+ALT+d",
                                   {.on_press = [&] { say("press"); },
                                    .on_release = [&] { say("release"); },
                                    .on_change = [&] { say("change"); }},
                                   kAgain);
  desktop::Announcement announcement("Headroom on studio", "_wyoming._tcp", 10300, kAgain);
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "ready") sleep.ReadyToSleep();
    if (line != "state") continue;
    const desktop::ShortcutState state = shortcut.state();
    say(fmt::format("state|{}|{}|{}|{}|{}|{}", sleep.inhibiting(), sleep.problem(), state.bound,
                    state.keys, state.problem, announcement.problem()));
  }
}
