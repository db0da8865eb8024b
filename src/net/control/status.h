// What a daemon says of itself, and the texts it remembers, as both sides of the control socket see
// them. Pure. Reading is lenient: what an older or newer daemon does not send has its default.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"

namespace headroom::net {

enum class Phase {
  kIdle,
  kOpening,    // the microphone is asked for; say nothing yet
  kListening,  // samples arrive; silence so far
  kSpeaking,   // an utterance is open
  kDecoding,   // not listening; speech is being turned into text
};
std::string_view Name(Phase phase);  // "idle", "opening", …
/// Also "speech", as kSpeaking was called before.
std::optional<Phase> PhaseFromName(std::string_view name);

struct Microphone {
  std::string device;   // "" : none open
  std::string state;    // "closed", "opening", "running", "lost", "recovering"
  std::string trouble;  // one line for a person; "" : none
  std::int64_t dropped_samples = 0;
};

struct MemoryUse {
  std::string zone = "safe";                              // the worst of them
  std::string why;                                        // of a zone that is not safe
  std::optional<Bytes> ram, swap;                         // of all our processes
  std::optional<Bytes> vram_total, vram_used, vram_ours;  // of the GPU
};

struct Status {
  std::string version;
  std::int64_t pid = 0;
  Milliseconds uptime{};
  Phase phase = Phase::kIdle;
  std::string mode;  // "toggle", "push_to_talk", "hands_free"
  std::string language;
  Microphone microphone;
  std::string tier;  // what turns speech into text: "whisper-base:Q8_0 on cpu"; "" : none loaded
  MemoryUse memory;
  std::int64_t waiting = 0;                // utterances that are not delivered yet
  std::optional<Milliseconds> spool_free;  // speech that still fits; absent: there is no spool
  std::int64_t delivered = 0;              // utterances since the start
  std::int64_t undelivered = 0;            // texts that reached no target, kept in the history
  std::optional<Milliseconds> latency;     // of the last text, from the end of speech to delivery
  std::string partial;                     // what is being said now, as far as it is known
  bool draining = false;                   // nothing new of other programs is taken
  int clients = 0;                         // recordings and streams of programs, in work
  int yields = 0;                          // programs that hold the card
  std::vector<std::string> troubles;       // one line each: what is wrong and what to do
};
nlohmann::json ToJson(const Status& status);
/// kProtocol unless it is an object.
Result<Status> ParseStatus(const nlohmann::json& json);

struct HistoryEntry {
  std::int64_t id = 0;
  WallTime at{};  // when it was spoken
  std::string text;
  std::string
      arrival;      // "delivered", "undelivered", "uncertain": it may have arrived before a crash
  std::string why;  // it did not
  std::string targets;  // where it went: "typing", "file /home/me/notes"
  std::string tier;
  std::optional<Milliseconds> latency;  // from the last word to the text
};
nlohmann::json ToJson(const HistoryEntry& entry);
Result<HistoryEntry> ParseHistoryEntry(const nlohmann::json& json);

}  // namespace headroom::net
