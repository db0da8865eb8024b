#include "net/control/event_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "net/control/json_fields.h"

namespace headroom::net {
namespace {

using nlohmann::json;

template <class T>
void Put(json& object, const char* key, const std::optional<T>& value) {
  if (value) object[key] = *value;
}
void Put(json& object, const char* key, const std::optional<Milliseconds>& value) {
  if (value) object[key] = value->count();
}

struct Namer {
  std::string_view operator()(const SpeechBegan&) const { return "speech"; }
  std::string_view operator()(const SpeechEnded&) const { return "speech"; }
  std::string_view operator()(const SpeechDropped&) const { return "speech"; }
  std::string_view operator()(const PartialText&) const { return "partial"; }
  std::string_view operator()(const TextDelivered&) const { return "text"; }
  std::string_view operator()(const TargetTried&) const { return "delivery"; }
  std::string_view operator()(const UtteranceFailed&) const { return "passed_over"; }
  std::string_view operator()(const Recovered&) const { return "recovered"; }
  std::string_view operator()(const StateChanged&) const { return "state"; }
  std::string_view operator()(const SourceChanged&) const { return "source"; }
  std::string_view operator()(const ZoneChanged&) const { return "zone"; }
  std::string_view operator()(const ActionTaken&) const { return "action"; }
  std::string_view operator()(const TierChanged&) const { return "tier"; }
  std::string_view operator()(const Served&) const { return "served"; }
  std::string_view operator()(const Warning&) const { return "trouble"; }
  std::string_view operator()(const Notice&) const { return "notice"; }
  std::string_view operator()(const Reloaded&) const { return "reloaded"; }
  std::string_view operator()(const DrainChanged&) const { return "drain"; }
  std::string_view operator()(const SleepChanged&) const { return "sleep"; }
  std::string_view operator()(const YieldChanged&) const { return "yield"; }
  std::string_view operator()(const Restarting&) const { return "restart"; }
  std::string_view operator()(const StatusChanged&) const { return "status"; }
};

struct Writer {
  json operator()(const SpeechBegan& e) const {
    return {{"what", "begin"}, {"utterance", e.utterance}};
  }
  json operator()(const SpeechEnded& e) const {
    return {{"what", "end"}, {"utterance", e.utterance}, {"audio_ms", e.audio.count()}};
  }
  json operator()(const SpeechDropped& e) const {
    return {{"what", "dropped"}, {"utterance", e.utterance}};
  }
  json operator()(const PartialText& e) const {
    return {{"utterance", e.utterance}, {"committed", e.committed}, {"tentative", e.tentative}};
  }
  json operator()(const TextDelivered& e) const {
    json data = {{"utterance", e.utterance},
                 {"text", e.text},
                 {"language", e.language},
                 {"tier", e.tier},
                 {"audio_ms", e.audio.count()},
                 {"adopted", e.adopted},
                 {"phantom", e.hallucination},
                 {"delivered", !e.failure},
                 {"trouble", e.failure ? e.failure->what : ""}};
    Put(data, "decoded_ms", e.decoded);
    Put(data, "latency_ms", e.latency);
    return data;
  }
  json operator()(const TargetTried& e) const {
    json data = {{"utterance", e.utterance}, {"target", e.target}, {"ok", !e.failure}};
    if (e.failure) data["why"] = e.failure->what;
    return data;
  }
  json operator()(const UtteranceFailed& e) const {
    return {{"utterance", e.utterance}, {"text", e.error.what}};
  }
  json operator()(const Recovered& e) const { return {{"utterances", e.utterances}}; }
  json operator()(const StateChanged& e) const {
    return {{"state", e.state}, {"device", e.device}};
  }
  json operator()(const SourceChanged& e) const {
    return {
        {"state", e.state}, {"device", e.device}, {"trouble", e.trouble}, {"dropped", e.dropped}};
  }
  json operator()(const ZoneChanged& e) const {
    return {{"verb", memory::Name(memory::ActionKind::kZone)},
            {"gauge", memory::Name(e.gauge)},
            {"from", memory::Name(e.from)},
            {"to", memory::Name(e.to)},
            {"reason", e.reason}};
  }
  json operator()(const ActionTaken& e) const {
    const memory::Action& action = e.action;
    json data = {{"verb", memory::Name(action.kind)}, {"reason", action.reason}};
    if (action.kind == memory::ActionKind::kNotify) {
      data["gauge"] = memory::Name(action.gauge);
      data["from"] = memory::Name(action.from);
      data["to"] = memory::Name(action.to);
    }
    return data;
  }
  json operator()(const TierChanged& e) const {
    return {{"change", e.change}, {"tier", e.tier}, {"ms", e.took.count()}, {"text", e.text}};
  }
  json operator()(const Served& e) const {
    json data = {{"source", e.source}, {"outcome", e.outcome}};
    Put(data, "tier", e.tier);
    Put(data, "audio_ms", e.audio);
    Put(data, "latency_ms", e.latency);
    return data;
  }
  json operator()(const Warning& e) const {
    json data = {{"text", e.error.what}, {"code", Name(e.error.code)}};
    Put(data, "utterance", e.utterance);
    Put(data, "again", e.again);
    return data;
  }
  json operator()(const Notice& e) const { return {{"text", e.text}}; }
  json operator()(const Reloaded& e) const {
    return {{"changed", e.changed}, {"restart", e.restart}};
  }
  json operator()(const DrainChanged& e) const { return {{"on", e.on}}; }
  json operator()(const SleepChanged& e) const { return {{"asleep", e.asleep}}; }
  json operator()(const YieldChanged& e) const {
    json data = {{"held", e.held}};
    Put(data, "who", e.who);
    return data;
  }
  json operator()(const Restarting& e) const { return {{"reason", e.reason}}; }
  json operator()(const StatusChanged& e) const { return ToJson(e.status); }
};

// ---- reading ----

Error ErrorIn(const JsonFields& fields, const char* key) {
  return {Errc::kInternal, fields.Value<std::string>(key)};
}

memory::Zone ZoneIn(const JsonFields& fields, const char* key) {
  return memory::ZoneFromName(fields.Value<std::string>(key)).value_or(memory::Zone::kSafe);
}

memory::Gauge GaugeIn(const JsonFields& fields) {
  return memory::GaugeFromName(fields.Value<std::string>("gauge")).value_or(memory::Gauge{});
}

Event ReadSpeech(const JsonFields& fields) {
  const auto utterance = fields.Value<UtteranceId>("utterance");
  const auto what = fields.Value<std::string>("what");
  if (what == "begin") return SpeechBegan{utterance};
  if (what == "end") return SpeechEnded{utterance, fields.Value<Milliseconds>("audio_ms")};
  return SpeechDropped{utterance};
}

Event ReadPartial(const JsonFields& fields) {
  PartialText e;
  fields.Get("utterance", e.utterance);
  fields.Get("committed", e.committed);
  fields.Get("tentative", e.tentative);
  return e;
}

Event ReadText(const JsonFields& fields) {
  TextDelivered e;
  fields.Get("utterance", e.utterance);
  fields.Get("text", e.text);
  fields.Get("language", e.language);
  fields.Get("tier", e.tier);
  fields.Get("audio_ms", e.audio);
  fields.Get("decoded_ms", e.decoded);
  fields.Get("latency_ms", e.latency);
  fields.Get("adopted", e.adopted);
  fields.Get("phantom", e.hallucination);
  bool delivered = true;
  fields.Get("delivered", delivered);
  if (!delivered) e.failure = ErrorIn(fields, "trouble");
  return e;
}

Event ReadDelivery(const JsonFields& fields) {
  TargetTried e;
  fields.Get("utterance", e.utterance);
  fields.Get("target", e.target);
  bool ok = true;
  fields.Get("ok", ok);
  if (!ok) e.failure = ErrorIn(fields, "why");
  return e;
}

Event ReadFailed(const JsonFields& fields) {
  return UtteranceFailed{fields.Value<UtteranceId>("utterance"), ErrorIn(fields, "text")};
}

Event ReadRecovered(const JsonFields& fields) {
  return Recovered{fields.Value<std::size_t>("utterances")};
}

Event ReadState(const JsonFields& fields) {
  return StateChanged{fields.Value<std::string>("state"), fields.Value<std::string>("device")};
}

Event ReadSource(const JsonFields& fields) {
  SourceChanged e;
  fields.Get("state", e.state);
  fields.Get("device", e.device);
  fields.Get("trouble", e.trouble);
  fields.Get("dropped", e.dropped);
  return e;
}

Event ReadZone(const JsonFields& fields) {
  return ZoneChanged{GaugeIn(fields), ZoneIn(fields, "from"), ZoneIn(fields, "to"),
                     fields.Value<std::string>("reason")};
}

Event ReadAction(const JsonFields& fields) {
  ActionTaken e;
  e.action.kind =
      memory::ActionKindFromName(fields.Value<std::string>("verb")).value_or(memory::ActionKind{});
  e.action.gauge = GaugeIn(fields);
  e.action.from = ZoneIn(fields, "from");
  e.action.to = ZoneIn(fields, "to");
  fields.Get("reason", e.action.reason);
  return e;
}

Event ReadTier(const JsonFields& fields) {
  TierChanged e;
  fields.Get("change", e.change);
  fields.Get("tier", e.tier);
  fields.Get("ms", e.took);
  fields.Get("text", e.text);
  return e;
}

Event ReadServed(const JsonFields& fields) {
  Served e;
  fields.Get("source", e.source);
  fields.Get("outcome", e.outcome);
  fields.Get("tier", e.tier);
  fields.Get("audio_ms", e.audio);
  fields.Get("latency_ms", e.latency);
  return e;
}

Event ReadWarning(const JsonFields& fields) {
  Warning e{ErrorIn(fields, "text")};
  e.error.code = ErrcFromName(fields.Value<std::string>("code"));
  fields.Get("utterance", e.utterance);
  fields.Get("again", e.again);
  return e;
}

Event ReadNotice(const JsonFields& fields) {
  return Notice{fields.Value<std::string>("text")};
}

Event ReadReloaded(const JsonFields& fields) {
  return Reloaded{fields.Value<std::vector<std::string>>("changed"),
                  fields.Value<std::vector<std::string>>("restart")};
}

Event ReadDrain(const JsonFields& fields) {
  return DrainChanged{fields.Value<bool>("on")};
}

Event ReadSleep(const JsonFields& fields) {
  return SleepChanged{fields.Value<bool>("asleep")};
}

Event ReadYield(const JsonFields& fields) {
  return YieldChanged{fields.Value<std::optional<std::string>>("who"), fields.Value<bool>("held")};
}

Event ReadRestart(const JsonFields& fields) {
  return Restarting{fields.Value<std::string>("reason")};
}

struct Reader {
  std::string_view name;  // as Namer has it
  Event (*read)(const JsonFields& fields);
};
constexpr Reader kReaders[] = {
    {"speech", ReadSpeech},     {"partial", ReadPartial},    {"text", ReadText},
    {"delivery", ReadDelivery}, {"passed_over", ReadFailed}, {"recovered", ReadRecovered},
    {"state", ReadState},       {"source", ReadSource},      {"zone", ReadZone},
    {"action", ReadAction},     {"tier", ReadTier},          {"served", ReadServed},
    {"trouble", ReadWarning},   {"notice", ReadNotice},      {"reloaded", ReadReloaded},
    {"drain", ReadDrain},       {"sleep", ReadSleep},        {"yield", ReadYield},
    {"restart", ReadRestart}};

}  // namespace

std::string_view NameOf(const Event& event) {
  return std::visit(Namer{}, event);
}

json EventToJson(const Event& event) {
  return std::visit(Writer{}, event);
}

std::optional<Event> EventFromJson(std::string_view name, const json& data) {
  if (!data.is_object()) return std::nullopt;
  if (name == "status") return StatusChanged{ParseStatus(data).value_or(Status())};
  const auto* const found = std::ranges::find(kReaders, name, &Reader::name);
  if (found == std::end(kReaders)) return std::nullopt;
  return found->read(JsonFields(data));
}

}  // namespace headroom::net
