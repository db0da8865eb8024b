#include "app/desktop/bus_loop.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace headroom::desktop {
namespace {

// The time until sd-bus must be called again; -1: until a message comes.
int TimeoutMs(sd_bus* bus) {
  std::uint64_t at = 0;
  if (::sd_bus_get_timeout(bus, &at) < 0 || at == UINT64_MAX) return -1;
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(SystemClock().Now().time_since_epoch())
          .count();
  const auto left = static_cast<std::int64_t>(at) - now;
  return static_cast<int>(std::clamp<std::int64_t>(left / 1000 + 1, 0, 60'000));
}

}  // namespace

BusLoop::BusLoop(Bus bus, std::string name, Events events, Milliseconds again)
    : bus_(bus),
      name_(std::move(name)),
      events_(std::move(events)),
      again_(again),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(wake_);
  // The program's main thread handles signals.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

BusLoop::~BusLoop() {
  stop_ = true;
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

void BusLoop::Post(std::function<void(sd_bus*)> task) {
  {
    const MutexLock guard(mutex_);
    tasks_.push_back(std::move(task));
  }
  ::eventfd_write(wake_.get(), 1);
}

void BusLoop::Run() {
  ::pthread_setname_np(::pthread_self(), name_.substr(0, 15).c_str());
  while (!stop_) {
    sd_bus* bus = nullptr;
    const int opened = bus_ == Bus::kSystem ? ::sd_bus_open_system(&bus) : ::sd_bus_open_user(&bus);
    Error lost = opened < 0 ? Errno(-opened, bus_ == Bus::kSystem ? "connect to the system bus"
                                                                  : "connect to the session bus")
                            : Serve(bus);
    if (bus) ::sd_bus_close_unref(bus);
    if (stop_) return;
    events_.on_lost(lost);
    {
      const MutexLock guard(mutex_);
      tasks_.clear();
    }
    // A task that is posted meanwhile ends the wait early, which is harmless.
    Wait(-1, 0, static_cast<int>(again_.count()));
  }
}

Error BusLoop::Serve(sd_bus* bus) {
  if (auto ready = events_.on_connected(bus); !ready) return std::move(ready.error());
  while (!stop_) {
    RunTasks(bus);
    int processed = 0;
    do processed = ::sd_bus_process(bus, nullptr);
    while (processed > 0 && !stop_);
    const int wanted = processed < 0 ? processed : ::sd_bus_get_events(bus);
    if (wanted < 0) return Errno(-wanted, "D-Bus");
    Wait(::sd_bus_get_fd(bus), static_cast<short>(wanted), TimeoutMs(bus));
  }
  ::sd_bus_flush(bus);
  return {};
}

void BusLoop::RunTasks(sd_bus* bus) {
  std::vector<std::function<void(sd_bus*)>> tasks;
  {
    const MutexLock guard(mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task(bus);
}

void BusLoop::Wait(int bus_fd, short bus_events, int timeout_ms) const {
  std::array<pollfd, 2> fds = {{{wake_.get(), POLLIN, 0}, {bus_fd, bus_events, 0}}};
  if (stop_) return;
  ::poll(fds.data(), fds.size(), timeout_ms);
  eventfd_t ignored = 0;
  ::eventfd_read(wake_.get(), &ignored);
}

std::string OwnerChanges(const std::string& name) {
  return "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
         "member='NameOwnerChanged',arg0='" +
         name + "'";
}

bool HasOwner(sd_bus_message* message) {
  const char *name = nullptr, *before = nullptr, *after = nullptr;
  return ::sd_bus_message_read(message, "sss", &name, &before, &after) >= 0 && *after != '\0';
}

}  // namespace headroom::desktop
