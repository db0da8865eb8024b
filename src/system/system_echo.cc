// headroom-system-echo: says what the system does and does what it is told, for tests that play the
// system. Standard input: "ready" (to sleep), "state", or its end.
#include <iostream>
#include <mutex>
#include <string>

#include "system/announcement.h"
#include "system/global_shortcut.h"
#include "system/sleep_watch.h"

int main() {
  using namespace headroom;
  std::mutex mutex;
  const auto say = [&mutex](const std::string& what) {
    const std::lock_guard guard(mutex);
    std::cout << what << std::endl;
  };
  constexpr Milliseconds kAgain(100);
  system::SleepWatch sleep({.on_sleep = [&] { say("sleep"); }, .on_resume = [&] { say("resume"); }},
                           kAgain);
  system::GlobalShortcut shortcut("CTRL+ALT+d",
                                  {.on_press = [&] { say("press"); },
                                   .on_release = [&] { say("release"); },
                                   .on_change = [&] { say("change"); }},
                                  kAgain);
  system::Announcement announcement("Headroom on desk", "_wyoming._tcp", 10300, kAgain);
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "ready") sleep.ReadyToSleep();
    if (line != "state") continue;
    const system::ShortcutState state = shortcut.state();
    say(fmt::format("state|{}|{}|{}|{}|{}|{}", sleep.inhibiting(), sleep.trouble(), state.bound,
                    state.keys, state.trouble, announcement.trouble()));
  }
}
