#include "net/control/event_json.h"

#include <nlohmann/json.hpp>

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

}  // namespace

std::string_view NameOf(const Event& event) {
  return std::visit(Namer{}, event);
}

json EventToJson(const Event& event) {
  return std::visit(Writer{}, event);
}

}  // namespace headroom::net
