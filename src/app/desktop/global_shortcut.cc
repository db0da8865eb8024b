#include "app/desktop/global_shortcut.h"

#include <systemd/sd-bus.h>

#include <algorithm>
#include <utility>

#include "app/desktop/bus_loop.h"
#include "base/mutex.h"

namespace headroom::desktop {
namespace {

constexpr char kName[] = "org.freedesktop.portal.Desktop";
constexpr char kPath[] = "/org/freedesktop/portal/desktop";
constexpr char kShortcuts[] = "org.freedesktop.portal.GlobalShortcuts";
constexpr char kRequest[] = "org.freedesktop.portal.Request";
constexpr char kSession[] = "org.freedesktop.portal.Session";
constexpr char kAppId[] = "org.headroom.Headroom";  // of packaging's desktop file
constexpr char kId[] = "dictate";
constexpr char kToken[] = "headroom";

using Message = Reference<sd_bus_message, ::sd_bus_message_unref>;
using Slot = Reference<sd_bus_slot, ::sd_bus_slot_unref>;

// Reads one string from a{sv} and skips other entries; "" when it is missing.
std::string TextIn(sd_bus_message* message, std::string_view wanted) {
  std::string text;
  if (::sd_bus_message_enter_container(message, 'a', "{sv}") <= 0) return text;
  while (::sd_bus_message_enter_container(message, 'e', "sv") > 0) {
    const char* key = nullptr;
    const char* value = nullptr;
    const char* contents = nullptr;
    char type = 0;
    ::sd_bus_message_read(message, "s", &key);
    ::sd_bus_message_peek_type(message, &type, &contents);
    const std::string_view kind = contents ? contents : "";
    if (key && wanted == key && (kind == "s" || kind == "o") &&
        ::sd_bus_message_read(message, "v", kind.data(), &value) > 0)
      text = value;
    else
      ::sd_bus_message_skip(message, "v");
    ::sd_bus_message_exit_container(message);
  }
  ::sd_bus_message_exit_container(message);
  return text;
}

// Reads the trigger's description from a(sa{sv}), the message's next element.
std::string KeysIn(sd_bus_message* message) {
  std::string keys;
  if (::sd_bus_message_enter_container(message, 'a', "(sa{sv})") <= 0) return keys;
  while (::sd_bus_message_enter_container(message, 'r', "sa{sv}") > 0) {
    const char* id = nullptr;
    ::sd_bus_message_read(message, "s", &id);
    const std::string described = TextIn(message, "trigger_description");
    if (id && std::string_view(id) == kId) keys = described;
    ::sd_bus_message_exit_container(message);
  }
  ::sd_bus_message_exit_container(message);
  return keys;
}

// Reads the trigger's description from the entry "shortcuts" of a{sv}.
std::string KeysInResults(sd_bus_message* message) {
  std::string keys;
  if (::sd_bus_message_enter_container(message, 'a', "{sv}") <= 0) return keys;
  while (::sd_bus_message_enter_container(message, 'e', "sv") > 0) {
    const char* key = nullptr;
    ::sd_bus_message_read(message, "s", &key);
    if (key && std::string_view(key) == "shortcuts" &&
        ::sd_bus_message_enter_container(message, 'v', "a(sa{sv})") > 0) {
      keys = KeysIn(message);
      ::sd_bus_message_exit_container(message);
    } else {
      ::sd_bus_message_skip(message, "v");
    }
    ::sd_bus_message_exit_container(message);
  }
  return keys;
}

}  // namespace

// Everything but `state` belongs to the loop's thread.
struct GlobalShortcut::Core {
  Core(std::string proposed, ShortcutEvents with, Milliseconds again)
      : keys(std::move(proposed)),
        events(std::move(with)),
        loop(Bus::kSession, "shortcut",
             {.on_connected = [this](sd_bus* bus) { return Connect(bus); },
              .on_lost = [this](const Error& error) { Lost(error.what); }},
             again) {}

  Result<> Connect(sd_bus* bus) {
    session.clear();
    const auto signal = [&](const char* path, const char* interface, const char* member,
                            sd_bus_message_handler_t handler) {
      return ::sd_bus_match_signal(bus, nullptr, kName, path, interface, member, handler, this);
    };
    int code = signal(kPath, kShortcuts, "Activated", &Core::OnActivated);
    if (code >= 0) code = signal(kPath, kShortcuts, "Deactivated", &Core::OnDeactivated);
    if (code >= 0) code = signal(kPath, kShortcuts, "ShortcutsChanged", &Core::OnChanged);
    if (code >= 0) code = signal(nullptr, kSession, "Closed", &Core::OnClosed);
    if (code >= 0)
      code = ::sd_bus_add_match(bus, nullptr, OwnerChanges(kName).c_str(), &Core::OnOwner, this);
    if (code < 0) return FailErrno(-code, "listen to the desktop's portal");
    Begin(bus);
    return {};
  }

  // Without a portal, OnOwner calls this again when one appears.
  void Begin(sd_bus* bus) {
    Register(bus);
    if (const auto asked = CreateSession(bus); !asked) Refused(asked.error().what);
  }

  // Registers the app id, which a portal from 1.20 on needs from programs outside a sandbox.
  static void Register(sd_bus* bus) {
    ::sd_bus_call_method(bus, kName, kPath, "org.freedesktop.host.portal.Registry", "Register",
                         nullptr, nullptr, "sa{sv}", kAppId, 0);
  }

  // The object path of the response to a request with kToken.
  static std::string RequestPath(sd_bus* bus) {
    const char* unique = nullptr;
    ::sd_bus_get_unique_name(bus, &unique);
    std::string sender = unique ? unique + 1 : "";  // without its colon
    std::ranges::replace(sender, '.', '_');
    return std::string(kPath) + "/request/" + sender + "/" + kToken;
  }

  // Subscribes to the response before the request is sent.
  Result<> Expect(sd_bus* bus, sd_bus_message_handler_t handler) {
    const int code = ::sd_bus_match_signal(bus, answer.out(), kName, RequestPath(bus).c_str(),
                                           kRequest, "Response", handler, this);
    if (code < 0) return FailErrno(-code, "listen to the desktop's portal");
    return {};
  }

  template <class... Args>
  Result<> Call(sd_bus* bus, const char* method, const char* types, Args... args) {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    const int code = ::sd_bus_call_method(bus, kName, kPath, kShortcuts, method, &error, nullptr,
                                          types, args...);
    const bool none = ::sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                      ::sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
                      ::sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_METHOD) ||
                      ::sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_INTERFACE) ||
                      ::sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT);
    const std::string why = error.message ? error.message : "";
    ::sd_bus_error_free(&error);
    if (code >= 0) return {};
    if (none)
      return Fail(Errc::kUnsupported,
                  "this desktop has no portal for global shortcuts; bind "
                  "'headroom toggle' to a key in its settings");
    return Fail(Errc::kIo, "global shortcut: {}", why.empty() ? "the portal did not answer" : why);
  }

  Result<> CreateSession(sd_bus* bus) {
    TRY(Expect(bus, &Core::OnSession));
    return Call(bus, "CreateSession", "a{sv}", 2, "handle_token", "s", kToken,
                "session_handle_token", "s", kToken);
  }

  Result<> BindShortcuts(sd_bus* bus) {
    TRY(Expect(bus, &Core::OnBound));
    return Call(bus, "BindShortcuts", "oa(sa{sv})sa{sv}", session.c_str(), 1, kId, 2, "description",
                "s", "Dictate: speak, and the text is typed", "preferred_trigger", "s",
                keys.c_str(), "", 1, "handle_token", "s", kToken);
  }

  // Response 0: granted; 1: denied by the user; 2: other failure.
  static bool Granted(sd_bus_message* message) {
    std::uint32_t response = 2;
    return ::sd_bus_message_read(message, "u", &response) >= 0 && response == 0;
  }

  static int OnSession(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* const core = static_cast<Core*>(self);
    if (!Granted(message)) return core->Refused("the desktop refused a global shortcut");
    core->session = TextIn(message, "session_handle");
    if (core->session.empty()) return core->Refused("the desktop's portal gave no session");
    // Posted, because this message's handler is still running.
    core->loop.Post([core](sd_bus* bus) {
      if (const auto asked = core->BindShortcuts(bus); !asked) core->Refused(asked.error().what);
    });
    return 0;
  }

  static int OnBound(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* const core = static_cast<Core*>(self);
    if (!Granted(message))
      return core->Refused(
          "no global shortcut was chosen; choose one in the desktop's settings, "
          "or bind 'headroom toggle' to a key");
    core->Change({.bound = true, .keys = KeysInResults(message), .problem = ""});
    return 0;
  }

  static int OnChanged(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* const core = static_cast<Core*>(self);
    const char* of = nullptr;
    if (::sd_bus_message_read(message, "o", &of) < 0 || core->session != of) return 0;
    core->Change({.bound = true, .keys = KeysIn(message), .problem = ""});
    return 0;
  }

  bool IsOurs(sd_bus_message* message) const {
    const char *of = nullptr, *id = nullptr;
    return ::sd_bus_message_read(message, "os", &of, &id) >= 0 && session == of &&
           std::string_view(id) == kId;
  }

  static int OnActivated(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* const core = static_cast<Core*>(self);
    if (core->IsOurs(message) && !std::exchange(core->pressed, true)) core->events.on_press();
    return 0;
  }

  static int OnDeactivated(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* const core = static_cast<Core*>(self);
    if (core->IsOurs(message)) core->Release();
    return 0;
  }

  static int OnClosed(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* const core = static_cast<Core*>(self);
    const char* path = ::sd_bus_message_get_path(message);
    if (!path || core->session != path) return 0;
    return core->Refused("the desktop ended the global shortcut");
  }

  // The portal stopped or started. A new one does not know the old one's sessions.
  static int OnOwner(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* const core = static_cast<Core*>(self);
    core->session.clear();
    if (!HasOwner(message)) return core->Refused("the desktop's portal stopped");
    core->Release();
    core->loop.Post([core](sd_bus* bus) { core->Begin(bus); });
    return 0;
  }

  void Release() {
    if (std::exchange(pressed, false)) events.on_release();
  }

  int Refused(std::string why) {
    Release();
    Change({.bound = false, .keys = "", .problem = std::move(why)});
    return 0;
  }

  void Lost(std::string why) {
    answer.Reset();
    session.clear();
    Refused(std::move(why));
  }

  void Change(ShortcutState to) {
    {
      const MutexLock guard(mutex);
      if (state.bound == to.bound && state.keys == to.keys && state.problem == to.problem) return;
      state = std::move(to);
    }
    if (events.on_change) events.on_change();
  }

  const std::string keys;
  const ShortcutEvents events;
  std::string session;  // the portal's path of it; "" : none
  bool pressed = false;
  Slot answer;  // the response that is awaited
  Mutex mutex;
  ShortcutState state GUARDED_BY(mutex);
  BusLoop loop;  // last: its thread uses the rest
};

GlobalShortcut::GlobalShortcut(std::string keys, ShortcutEvents events, Milliseconds again)
    : core_(std::make_unique<Core>(std::move(keys), std::move(events), again)) {}
GlobalShortcut::~GlobalShortcut() = default;

ShortcutState GlobalShortcut::state() const {
  const MutexLock guard(core_->mutex);
  return core_->state;
}

}  // namespace headroom::desktop
