#include "app/desktop/announcement.h"

#include <systemd/sd-bus.h>

#include "app/desktop/bus_loop.h"
#include "base/mutex.h"

namespace headroom::desktop {
namespace {

constexpr char kName[] = "org.freedesktop.Avahi";
constexpr char kServer[] = "org.freedesktop.Avahi.Server";
constexpr char kGroup[] = "org.freedesktop.Avahi.EntryGroup";
constexpr char kCollision[] = "org.freedesktop.Avahi.CollisionError";
constexpr std::int32_t kAny = -1;  // interface, or IP version
constexpr int kMostNames = 20;
// enum AvahiEntryGroupState
constexpr std::int32_t kEstablished = 2;
constexpr std::int32_t kCollided = 3;
constexpr std::int32_t kFailed = 4;

using Message = Reference<sd_bus_message, ::sd_bus_message_unref>;

struct Refused {
  std::string name;  // of the D-Bus error
  std::string what;
};

// The call succeeded when `name` is empty.
template <class... Args>
Refused Call(sd_bus* bus, const std::string& path, const char* interface, const char* method,
             Message& reply, const char* types, Args... args) {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  const int code = ::sd_bus_call_method(bus, kName, path.c_str(), interface, method, &error,
                                        reply.out(), types, args...);
  Refused refused;
  if (code < 0)
    refused = {error.name ? error.name : "none",
               error.message ? error.message : Errno(-code, "no answer").what};
  ::sd_bus_error_free(&error);
  return refused;
}

}  // namespace

// Everything but `problem` belongs to the loop's thread.
struct Announcement::Core {
  Core(std::string with_name, std::string with_type, std::uint16_t with_port, Milliseconds again)
      : name(std::move(with_name)),
        type(std::move(with_type)),
        port(with_port),
        loop(Bus::kSystem, "announce",
             {.on_connected = [this](sd_bus* bus) { return Connect(bus); },
              .on_lost = [this](const Error& error) { Say(error.what); }},
             again) {}

  Result<> Connect(sd_bus* bus) {
    int code = ::sd_bus_match_signal(bus, nullptr, kName, nullptr, kGroup, "StateChanged",
                                     &Core::OnState, this);
    // A restarted Avahi has lost the service group.
    if (code >= 0)
      code = ::sd_bus_add_match(bus, nullptr, OwnerChanges(kName).c_str(), &Core::OnOwner, this);
    if (code < 0) return FailErrno(-code, "listen to Avahi");
    Announce(bus);
    return {};
  }

  void Announce(sd_bus* bus) {
    Message reply;
    const char* path = nullptr;
    Refused refused = Call(bus, "/", kServer, "EntryGroupNew", reply, "");
    if (refused.name.empty() && ::sd_bus_message_read(reply.get(), "o", &path) < 0)
      refused = {"none", "invalid answer"};
    if (!refused.name.empty()) return Say(refused.what);
    group = path;
    names = 0;
    Fill(bus);
  }

  // Puts the service into the group, under another name when that one is taken.
  void Fill(sd_bus* bus) {
    Message reply;
    Refused refused;
    do {
      refused = Call(bus, group, kGroup, "AddService", reply, "iiussssqaay", kAny, kAny, 0U,
                     name.c_str(), type.c_str(), "", "", port, 0);
    } while (refused.name == kCollision && ++names < kMostNames && Rename(bus));
    if (refused.name.empty()) refused = Call(bus, group, kGroup, "Commit", reply, "");
    Say(refused.what);
  }

  bool Rename(sd_bus* bus) {
    Message reply;
    const char* other = nullptr;
    const Refused refused =
        Call(bus, "/", kServer, "GetAlternativeServiceName", reply, "s", name.c_str());
    if (!refused.name.empty() || ::sd_bus_message_read(reply.get(), "s", &other) < 0) return false;
    name = other;
    return true;
  }

  void Say(const std::string& what) {
    const MutexLock guard(mutex);
    problem = what.empty() ? "" : "not announced by zeroconf: " + what;
  }

  static int OnState(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* const core = static_cast<Core*>(self);
    std::int32_t state = 0;
    const char* why = nullptr;
    if (core->group != ::sd_bus_message_get_path(message) ||
        ::sd_bus_message_read(message, "is", &state, &why) < 0)
      return 0;
    sd_bus* const bus = ::sd_bus_message_get_bus(message);
    if (state == kCollided && ++core->names < kMostNames && core->Rename(bus)) {
      Message reply;
      if (const auto refused = Call(bus, core->group, kGroup, "Reset", reply, "");
          !refused.name.empty())
        core->Say(refused.what);
      else
        core->Fill(bus);
    } else if (state == kCollided || state == kFailed) {
      core->Say(state == kFailed ? why : "the service name is taken");
    } else if (state == kEstablished) {
      core->Say("");
    }
    return 0;
  }

  static int OnOwner(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* const core = static_cast<Core*>(self);
    if (HasOwner(message))
      core->Announce(::sd_bus_message_get_bus(message));
    else
      core->Say("Avahi stopped");
    return 0;
  }

  std::string name;
  const std::string type;
  const std::uint16_t port;
  std::string group;  // its path
  int names = 0;      // that were tried in this group
  Mutex mutex;
  std::string problem GUARDED_BY(mutex) = "not announced by zeroconf: Avahi is not running";
  BusLoop loop;  // last: its thread uses the rest
};

Announcement::Announcement(std::string name, std::string type, std::uint16_t port,
                           Milliseconds again)
    : core_(std::make_unique<Core>(std::move(name), std::move(type), port, again)) {}
Announcement::~Announcement() = default;

std::string Announcement::problem() const {
  const MutexLock guard(core_->mutex);
  return core_->problem;
}

}  // namespace headroom::desktop
