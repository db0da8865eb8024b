#include "net/control/public_event.h"

#include <algorithm>
#include <array>

namespace headroom::net {
namespace {

using nlohmann::json;

struct Entry {
  std::string_view name;
  std::array<std::string_view, 8> fields;  // "" : no more
};
constexpr std::array kEntries = {
    Entry{"text",
          {"utterance", "tier", "audio_ms", "decoded_ms", "latency_ms", "adopted", "phantom",
           "delivered"}},
    Entry{"served", {"source", "outcome", "tier", "audio_ms", "latency_ms"}},
    Entry{"speech", {"what", "utterance", "audio_ms"}},
    Entry{"delivery", {"utterance", "ok"}},
    Entry{"passed_over", {"utterance"}},
    Entry{"recovered", {"utterances"}},
    Entry{"state", {"state"}},
    Entry{"source", {"state", "dropped"}},
    Entry{"zone", {"gauge", "from", "to", "reason"}},
    Entry{"action", {"verb", "reason"}},
    Entry{"tier", {"change", "tier", "ms", "text"}},
    Entry{"trouble", {"code"}},
    Entry{"sleep", {"asleep"}},
    Entry{"yield", {"held"}},
    Entry{"drain", {"on"}},
    Entry{"restart", {"reason"}},
    Entry{"reloaded", {}},
};

}  // namespace

std::optional<json> PublicEvent(std::string_view name, const json& data) {
  if (!data.is_object()) return std::nullopt;
  if (name == "status") {
    json status = data;
    status.erase("partial");
    return status;
  }
  const auto entry = std::ranges::find(kEntries, name, &Entry::name);
  if (entry == kEntries.end()) return std::nullopt;
  json shown = json::object();
  for (const std::string_view field : entry->fields) {
    const auto found = field.empty() ? data.end() : data.find(field);
    if (found != data.end()) shown[std::string(field)] = *found;
  }
  return shown;
}

}  // namespace headroom::net
