#include "net/control/status.h"

#include <array>
#include <nlohmann/json.hpp>

#include "net/control/json_fields.h"

namespace headroom::net {
namespace {

using nlohmann::json;

constexpr std::array kPhases = {Phase::kIdle, Phase::kOpening, Phase::kListening, Phase::kSpeaking,
                                Phase::kDecoding};

void Put(json& object, const char* key, const std::optional<Bytes>& bytes) {
  if (bytes) object[key] = bytes->n;
}

}  // namespace

std::string_view Name(Phase phase) {
  switch (phase) {
    case Phase::kIdle:
      return "idle";
    case Phase::kOpening:
      return "opening";
    case Phase::kListening:
      return "listening";
    case Phase::kSpeaking:
      return "speaking";
    case Phase::kDecoding:
      return "decoding";
  }
  return "idle";
}

std::optional<Phase> PhaseFromName(std::string_view name) {
  for (const Phase phase : kPhases) {
    if (Name(phase) == name) return phase;
  }
  if (name == "speech") return Phase::kSpeaking;
  return std::nullopt;
}

json ToJson(const Status& status) {
  json memory = {{"zone", status.memory.zone}};
  if (!status.memory.why.empty()) memory["why"] = status.memory.why;
  Put(memory, "ram_bytes", status.memory.ram);
  Put(memory, "swap_bytes", status.memory.swap);
  Put(memory, "vram_total_bytes", status.memory.vram_total);
  Put(memory, "vram_used_bytes", status.memory.vram_used);
  Put(memory, "vram_ours_bytes", status.memory.vram_ours);
  json microphone = {{"device", status.microphone.device},
                     {"state", status.microphone.state},
                     {"dropped_samples", status.microphone.dropped_samples}};
  if (!status.microphone.trouble.empty()) microphone["trouble"] = status.microphone.trouble;
  json value = {{"version", status.version},
                {"pid", status.pid},
                {"uptime_ms", status.uptime.count()},
                {"phase", Name(status.phase)},
                {"mode", status.mode},
                {"language", status.language},
                {"microphone", std::move(microphone)},
                {"tier", status.tier},
                {"memory", std::move(memory)},
                {"waiting", status.waiting},
                {"delivered", status.delivered},
                {"undelivered", status.undelivered},
                {"partial", status.partial},
                {"draining", status.draining},
                {"clients", status.clients},
                {"yields", status.yields},
                {"troubles", status.troubles}};
  if (status.spool_free) value["spool_free_ms"] = status.spool_free->count();
  if (status.latency) value["latency_ms"] = status.latency->count();
  return value;
}

Result<Status> ParseStatus(const json& value) {
  if (!value.is_object()) return Fail(Errc::kProtocol, "the daemon's status is not an object");
  const JsonFields fields(value);
  Status status;
  std::string phase;
  fields.Get("version", status.version);
  fields.Get("pid", status.pid);
  fields.Get("uptime_ms", status.uptime);
  fields.Get("phase", phase);
  status.phase = PhaseFromName(phase).value_or(Phase::kIdle);
  fields.Get("mode", status.mode);
  fields.Get("language", status.language);
  if (const json* microphone = fields.Find("microphone"); microphone && microphone->is_object()) {
    const JsonFields of(*microphone);
    of.Get("device", status.microphone.device);
    of.Get("state", status.microphone.state);
    of.Get("trouble", status.microphone.trouble);
    of.Get("dropped_samples", status.microphone.dropped_samples);
  }
  fields.Get("tier", status.tier);
  if (const json* memory = fields.Find("memory"); memory && memory->is_object()) {
    const JsonFields of(*memory);
    of.Get("zone", status.memory.zone);
    of.Get("why", status.memory.why);
    of.Get("ram_bytes", status.memory.ram);
    of.Get("swap_bytes", status.memory.swap);
    of.Get("vram_total_bytes", status.memory.vram_total);
    of.Get("vram_used_bytes", status.memory.vram_used);
    of.Get("vram_ours_bytes", status.memory.vram_ours);
  }
  fields.Get("waiting", status.waiting);
  fields.Get("spool_free_ms", status.spool_free);
  fields.Get("delivered", status.delivered);
  fields.Get("undelivered", status.undelivered);
  fields.Get("latency_ms", status.latency);
  fields.Get("partial", status.partial);
  fields.Get("draining", status.draining);
  fields.Get("clients", status.clients);
  fields.Get("yields", status.yields);
  fields.Get("troubles", status.troubles);
  return status;
}

json ToJson(const HistoryEntry& entry) {
  const auto at = std::chrono::duration_cast<Milliseconds>(entry.at.time_since_epoch());
  json value = {{"id", entry.id},           {"at_ms", at.count()},      {"text", entry.text},
                {"arrival", entry.arrival}, {"targets", entry.targets}, {"tier", entry.tier}};
  if (!entry.why.empty()) value["why"] = entry.why;
  if (entry.latency) value["latency_ms"] = entry.latency->count();
  return value;
}

Result<HistoryEntry> ParseHistoryEntry(const json& value) {
  if (!value.is_object()) return Fail(Errc::kProtocol, "an entry of the history is not an object");
  const JsonFields fields(value);
  HistoryEntry entry;
  Milliseconds at{};
  fields.Get("id", entry.id);
  fields.Get("at_ms", at);
  entry.at = WallTime(at);
  fields.Get("text", entry.text);
  fields.Get("arrival", entry.arrival);
  fields.Get("why", entry.why);
  fields.Get("targets", entry.targets);
  fields.Get("tier", entry.tier);
  fields.Get("latency_ms", entry.latency);
  return entry;
}

}  // namespace headroom::net
