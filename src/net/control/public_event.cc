#include "net/control/public_event.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "net/control/event_json.h"

namespace headroom::net {
namespace {

using nlohmann::json;
using Fields = std::optional<std::vector<const char*>>;  // nullopt: it is not shown at all

struct Shown {
  Fields operator()(const SpeechBegan&) const { return Only("what", "utterance"); }
  Fields operator()(const SpeechEnded&) const { return Only("what", "utterance", "audio_ms"); }
  Fields operator()(const SpeechDropped&) const { return Only("what", "utterance"); }
  Fields operator()(const PartialText&) const { return std::nullopt; }
  Fields operator()(const TextDelivered&) const {
    return Only("utterance", "tier", "audio_ms", "decoded_ms", "latency_ms", "adopted", "phantom",
                "delivered");
  }
  Fields operator()(const TargetTried&) const { return Only("utterance", "ok"); }
  Fields operator()(const UtteranceFailed&) const { return Only("utterance"); }
  Fields operator()(const Recovered&) const { return Only("utterances"); }
  Fields operator()(const StateChanged&) const { return Only("state"); }
  Fields operator()(const SourceChanged&) const { return Only("state", "dropped"); }
  Fields operator()(const ZoneChanged&) const { return Only("gauge", "from", "to", "reason"); }
  Fields operator()(const ActionTaken&) const { return Only("verb", "reason"); }
  Fields operator()(const TierChanged&) const { return Only("change", "tier", "ms", "text"); }
  Fields operator()(const Served&) const {
    return Only("source", "outcome", "tier", "audio_ms", "latency_ms");
  }
  Fields operator()(const Warning&) const { return Only("code"); }
  Fields operator()(const Notice&) const { return std::nullopt; }
  Fields operator()(const Reloaded&) const { return Only(); }
  Fields operator()(const DrainChanged&) const { return Only("on"); }
  Fields operator()(const SleepChanged&) const { return Only("asleep"); }
  Fields operator()(const YieldChanged&) const { return Only("held"); }
  Fields operator()(const Restarting&) const { return Only("reason"); }
  Fields operator()(const StatusChanged&) const { return Only(); }

 private:
  template <class... Names>
  static Fields Only(Names... names) {
    return std::vector<const char*>{names...};
  }
};

}  // namespace

std::optional<json> PublicEvent(const Event& event) {
  json data = EventToJson(event);
  if (std::holds_alternative<StatusChanged>(event)) {
    data.erase("partial");
    return data;
  }
  const Fields fields = std::visit(Shown{}, event);
  if (!fields) return std::nullopt;
  json shown = json::object();
  for (const char* field : *fields) {
    if (data.contains(field)) shown[field] = std::move(data[field]);
  }
  return shown;
}

}  // namespace headroom::net
