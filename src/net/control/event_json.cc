#include "net/control/event_json.h"

#include <concepts>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "net/control/json_fields.h"

namespace headroom::net {
namespace {

using nlohmann::json;

template <class E>
using Type = std::type_identity<E>;
struct Namer {
  std::string_view operator()(Type<SpeechBegan>) const { return "speech"; }
  std::string_view operator()(Type<SpeechEnded>) const { return "speech"; }
  std::string_view operator()(Type<SpeechDropped>) const { return "speech"; }
  std::string_view operator()(Type<PartialText>) const { return "partial"; }
  std::string_view operator()(Type<TextDelivered>) const { return "text"; }
  std::string_view operator()(Type<TargetTried>) const { return "delivery"; }
  std::string_view operator()(Type<UtteranceFailed>) const { return "passed_over"; }
  std::string_view operator()(Type<Recovered>) const { return "recovered"; }
  std::string_view operator()(Type<StateChanged>) const { return "state"; }
  std::string_view operator()(Type<SourceChanged>) const { return "source"; }
  std::string_view operator()(Type<ZoneChanged>) const { return "zone"; }
  std::string_view operator()(Type<ActionTaken>) const { return "action"; }
  std::string_view operator()(Type<TierChanged>) const { return "tier"; }
  std::string_view operator()(Type<Served>) const { return "served"; }
  std::string_view operator()(Type<Warning>) const { return "trouble"; }
  std::string_view operator()(Type<Notice>) const { return "notice"; }
  std::string_view operator()(Type<Reloaded>) const { return "reloaded"; }
  std::string_view operator()(Type<DrainChanged>) const { return "drain"; }
  std::string_view operator()(Type<SleepChanged>) const { return "sleep"; }
  std::string_view operator()(Type<YieldChanged>) const { return "yield"; }
  std::string_view operator()(Type<Restarting>) const { return "restart"; }
  std::string_view operator()(Type<StatusChanged>) const { return "status"; }
};

// The members that are written as they are, once for both directions: `field` gets the key and the
// member of each. What an event has besides is in WriteRest and ReadRest.
template <class E, class T>
concept Is = std::same_as<std::remove_const_t<E>, T>;

void ForEachField(Is<SpeechBegan> auto& e, const auto& field) {
  field("utterance", e.utterance);
}
void ForEachField(Is<SpeechEnded> auto& e, const auto& field) {
  field("utterance", e.utterance);
  field("audio_ms", e.audio);
}
void ForEachField(Is<SpeechDropped> auto& e, const auto& field) {
  field("utterance", e.utterance);
}
void ForEachField(Is<PartialText> auto& e, const auto& field) {
  field("utterance", e.utterance);
  field("committed", e.committed);
  field("tentative", e.tentative);
}
void ForEachField(Is<TextDelivered> auto& e, const auto& field) {
  field("utterance", e.utterance);
  field("text", e.text);
  field("language", e.language);
  field("tier", e.tier);
  field("audio_ms", e.audio);
  field("decoded_ms", e.decoded);
  field("latency_ms", e.latency);
  field("adopted", e.adopted);
  field("phantom", e.hallucination);
}
void ForEachField(Is<TargetTried> auto& e, const auto& field) {
  field("utterance", e.utterance);
  field("target", e.target);
}
void ForEachField(Is<UtteranceFailed> auto& e, const auto& field) {
  field("utterance", e.utterance);
  field("text", e.error.what);
}
void ForEachField(Is<Recovered> auto& e, const auto& field) {
  field("utterances", e.utterances);
}
void ForEachField(Is<StateChanged> auto& e, const auto& field) {
  field("state", e.state);
  field("device", e.device);
}
void ForEachField(Is<SourceChanged> auto& e, const auto& field) {
  field("state", e.state);
  field("device", e.device);
  field("trouble", e.trouble);
  field("dropped", e.dropped);
}
void ForEachField(Is<ZoneChanged> auto& e, const auto& field) {
  field("reason", e.reason);
}
void ForEachField(Is<ActionTaken> auto& e, const auto& field) {
  field("reason", e.action.reason);
}
void ForEachField(Is<TierChanged> auto& e, const auto& field) {
  field("change", e.change);
  field("tier", e.tier);
  field("ms", e.took);
  field("text", e.text);
}
void ForEachField(Is<Served> auto& e, const auto& field) {
  field("source", e.source);
  field("outcome", e.outcome);
  field("tier", e.tier);
  field("audio_ms", e.audio);
  field("latency_ms", e.latency);
}
void ForEachField(Is<Warning> auto& e, const auto& field) {
  field("text", e.error.what);
  field("utterance", e.utterance);
  field("again", e.again);
}
void ForEachField(Is<Notice> auto& e, const auto& field) {
  field("text", e.text);
}
void ForEachField(Is<Reloaded> auto& e, const auto& field) {
  field("changed", e.changed);
  field("restart", e.restart);
}
void ForEachField(Is<DrainChanged> auto& e, const auto& field) {
  field("on", e.on);
}
void ForEachField(Is<SleepChanged> auto& e, const auto& field) {
  field("asleep", e.asleep);
}
void ForEachField(Is<YieldChanged> auto& e, const auto& field) {
  field("who", e.who);
  field("held", e.held);
}
void ForEachField(Is<Restarting> auto& e, const auto& field) {
  field("reason", e.reason);
}
void ForEachField(Is<StatusChanged> auto&, const auto&) {}

// ---- writing ----

template <class T>
void Put(json& object, const char* key, const T& value) {
  object[key] = value;
}
void Put(json& object, const char* key, Milliseconds value) {
  object[key] = value.count();
}
template <class T>
void Put(json& object, const char* key, const std::optional<T>& value) {
  if (value) Put(object, key, *value);
}

void PutZones(json& data, memory::Gauge gauge, memory::Zone from, memory::Zone to) {
  data["gauge"] = memory::Name(gauge);
  data["from"] = memory::Name(from);
  data["to"] = memory::Name(to);
}

void WriteRest(const auto&, json&) {}
void WriteRest(const SpeechBegan&, json& data) {
  data["what"] = "begin";
}
void WriteRest(const SpeechEnded&, json& data) {
  data["what"] = "end";
}
void WriteRest(const SpeechDropped&, json& data) {
  data["what"] = "dropped";
}
void WriteRest(const TextDelivered& e, json& data) {
  data["delivered"] = !e.failure;
  data["trouble"] = e.failure ? e.failure->what : "";
}
void WriteRest(const TargetTried& e, json& data) {
  data["ok"] = !e.failure;
  if (e.failure) data["why"] = e.failure->what;
}
void WriteRest(const ZoneChanged& e, json& data) {
  data["verb"] = memory::Name(memory::ActionKind::kZone);
  PutZones(data, e.gauge, e.from, e.to);
}
void WriteRest(const ActionTaken& e, json& data) {
  const memory::Action& action = e.action;
  data["verb"] = memory::Name(action.kind);
  if (action.kind == memory::ActionKind::kNotify)
    PutZones(data, action.gauge, action.from, action.to);
}
void WriteRest(const Warning& e, json& data) {
  data["code"] = Name(e.error.code);
}
void WriteRest(const StatusChanged& e, json& data) {
  data = ToJson(e.status);
}

// ---- reading ----

void GetZones(const JsonFields& fields, memory::Gauge& gauge, memory::Zone& from,
              memory::Zone& to) {
  const auto zone = [&](const char* key) {
    return memory::ZoneFromName(fields.Value<std::string>(key)).value_or(memory::Zone::kSafe);
  };
  gauge = memory::GaugeFromName(fields.Value<std::string>("gauge")).value_or(memory::Gauge{});
  from = zone("from");
  to = zone("to");
}

// nullopt where `succeeded` is true or absent.
std::optional<Error> FailureIn(const JsonFields& fields, const char* succeeded, const char* why) {
  bool ok = true;
  fields.Get(succeeded, ok);
  if (ok) return std::nullopt;
  return Error{Errc::kInternal, fields.Value<std::string>(why)};
}

void ReadRest(auto&, const JsonFields&) {}
void ReadRest(TextDelivered& e, const JsonFields& fields) {
  e.failure = FailureIn(fields, "delivered", "trouble");
}
void ReadRest(TargetTried& e, const JsonFields& fields) {
  e.failure = FailureIn(fields, "ok", "why");
}
void ReadRest(ZoneChanged& e, const JsonFields& fields) {
  GetZones(fields, e.gauge, e.from, e.to);
}
void ReadRest(ActionTaken& e, const JsonFields& fields) {
  e.action.kind =
      memory::ActionKindFromName(fields.Value<std::string>("verb")).value_or(memory::ActionKind{});
  GetZones(fields, e.action.gauge, e.action.from, e.action.to);
}
void ReadRest(Warning& e, const JsonFields& fields) {
  e.error.code = ErrcFromName(fields.Value<std::string>("code"));
}

// Which of the events of that name it is.
template <class E>
bool Fits(const JsonFields& fields) {
  if constexpr (std::same_as<E, SpeechBegan>) return fields.Value<std::string>("what") == "begin";
  if constexpr (std::same_as<E, SpeechEnded>) return fields.Value<std::string>("what") == "end";
  return true;
}

template <class E>
E Read(const JsonFields& fields) {
  E e{};
  ForEachField(e, [&](const char* key, auto& member) { fields.Get(key, member); });
  ReadRest(e, fields);
  return e;
}
template <>
StatusChanged Read(const JsonFields& fields) {
  return {ParseStatus(fields.object()).value_or(Status())};
}

template <class... E>
std::optional<Event> ReadOneOf(const std::variant<E...>* /*of*/, std::string_view name,
                               const JsonFields& fields) {
  std::optional<Event> event;
  const auto read = [&]<class One>() {
    if (name != Namer()(Type<One>()) || !Fits<One>(fields)) return false;
    event = Read<One>(fields);
    return true;
  };
  static_cast<void>((read.template operator()<E>() || ...));  // the first that fits
  return event;
}

}  // namespace

std::string_view NameOf(const Event& event) {
  return std::visit([]<class E>(const E&) { return Namer()(Type<E>()); }, event);
}

json EventToJson(const Event& event) {
  json data = json::object();
  const auto put = [&](const char* key, const auto& member) { Put(data, key, member); };
  std::visit(
      [&](const auto& e) {
        ForEachField(e, put);
        WriteRest(e, data);
      },
      event);
  return data;
}

std::optional<Event> EventFromJson(std::string_view name, const json& data) {
  if (!data.is_object()) return std::nullopt;
  return ReadOneOf(static_cast<const Event*>(nullptr), name, JsonFields(data));
}

}  // namespace headroom::net
