#include "app/desktop/sleep_watch.h"

#include <fcntl.h>
#include <systemd/sd-bus.h>

#include "app/desktop/bus_loop.h"
#include "base/mutex.h"

namespace headroom::desktop {
namespace {

constexpr char kName[] = "org.freedesktop.login1";
constexpr char kPath[] = "/org/freedesktop/login1";
constexpr char kManager[] = "org.freedesktop.login1.Manager";

}  // namespace

// Everything but `inhibitor` and `problem` belongs to the loop's thread.
struct SleepWatch::Core {
  Core(SleepEvents with, Milliseconds again)
      : events(std::move(with)),
        loop(Bus::kSystem, "sleep",
             {.on_connected = [this](sd_bus* bus) { return Connect(bus); },
              .on_lost = [this](const Error& error) { Lost(error); }},
             again) {}

  Result<> Connect(sd_bus* bus) {
    int code = ::sd_bus_match_signal(bus, nullptr, kName, kPath, kManager, "PrepareForSleep",
                                     &Core::OnPrepare, this);
    // A restarted logind has lost the inhibitor, so request it again.
    if (code >= 0)
      code = ::sd_bus_add_match(bus, nullptr, OwnerChanges(kName).c_str(), &Core::OnOwner, this);
    if (code < 0) return FailErrno(-code, "listen to logind");
    // Without logind, OnOwner requests the inhibitor when logind starts.
    if (const auto inhibited = Inhibit(bus); !inhibited) Lost(inhibited.error());
    return {};
  }

  Result<> Inhibit(sd_bus* bus) {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    Reference<sd_bus_message, ::sd_bus_message_unref> reply;
    int fd = -1;
    int code = ::sd_bus_call_method(bus, kName, kPath, kManager, "Inhibit", &error, reply.out(),
                                    "ssss", "sleep", "headroom",
                                    "Gives graphics memory back before suspend", "delay");
    if (code >= 0) code = ::sd_bus_message_read(reply.get(), "h", &fd);
    const std::string why = error.message ? error.message : "";
    ::sd_bus_error_free(&error);
    if (code < 0)
      return Fail(Errc::kNotFound, "cannot delay suspend: logind: {}",
                  why.empty() ? std::string(Errno(-code, "no answer").what) : why);
    const MutexLock guard(mutex);
    inhibitor.Reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));  // the message owns fd
    problem.clear();
    return {};
  }

  void Lost(const Error& error) {
    const MutexLock guard(mutex);
    inhibitor.Reset();
    problem = error.what;
  }

  static int OnPrepare(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* const core = static_cast<Core*>(self);
    int sleeping = 0;
    if (::sd_bus_message_read(message, "b", &sleeping) < 0) return 0;
    if (sleeping) {
      core->events.on_sleep();
      return 0;
    }
    if (const auto again = core->Inhibit(::sd_bus_message_get_bus(message)); !again) {
      const MutexLock guard(core->mutex);
      core->problem = again.error().what;
    }
    core->events.on_resume();
    return 0;
  }

  static int OnOwner(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* const core = static_cast<Core*>(self);
    if (!HasOwner(message)) return 0;
    if (const auto again = core->Inhibit(::sd_bus_message_get_bus(message)); !again)
      core->Lost(again.error());
    return 0;
  }

  const SleepEvents events;
  Mutex mutex;
  Fd inhibitor GUARDED_BY(mutex);  // while open, suspend waits
  std::string problem GUARDED_BY(mutex) = "logind is not running";
  BusLoop loop;  // last: its thread uses the rest
};

SleepWatch::SleepWatch(SleepEvents events, Milliseconds again)
    : core_(std::make_unique<Core>(std::move(events), again)) {}
SleepWatch::~SleepWatch() = default;

void SleepWatch::ReadyToSleep() {
  const MutexLock guard(core_->mutex);
  core_->inhibitor.Reset();
}

std::string SleepWatch::problem() const {
  const MutexLock guard(core_->mutex);
  return core_->problem;
}

bool SleepWatch::inhibiting() const {
  const MutexLock guard(core_->mutex);
  return static_cast<bool>(core_->inhibitor);
}

}  // namespace headroom::desktop
