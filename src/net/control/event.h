// What happens in the service, as plain data. docs/control.md has the names and members under which
// programs see it (event_json.h), docs/api.md what followers over the network see (public_event.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "memory/governor.h"
#include "net/control/status.h"

namespace headroom::net {

using UtteranceId = std::uint64_t;

struct SpeechBegan {
  UtteranceId utterance = 0;
};
struct SpeechEnded {
  UtteranceId utterance = 0;
  Milliseconds audio{};
};
/// It was begun and is not wanted.
struct SpeechDropped {
  UtteranceId utterance = 0;
};

/// While an utterance is being spoken: `committed` will not change, `tentative` may.
struct PartialText {
  UtteranceId utterance = 0;
  std::string committed, tentative;
};

/// An utterance is done with; `text` is "" when nothing was said.
struct TextDelivered {
  UtteranceId utterance = 0;
  std::string text = {};
  std::string language = {};  // ISO 639-1; "" when not known
  std::string tier = {};
  Milliseconds audio{};
  /// From the endpoint, and from the last word; nullopt for an utterance of an earlier run.
  std::optional<Milliseconds> decoded = {}, latency = {};
  bool adopted = false;               // decoded in the pause before the endpoint
  bool hallucination = false;         // dropped: there was no speech
  std::optional<Error> failure = {};  // a target did not take it
};

/// A target was given a text.
struct TargetTried {
  UtteranceId utterance = 0;
  std::string target;
  std::optional<Error> failure;
};

/// It could not be decoded, stays in the spool, and the next one is delivered.
struct UtteranceFailed {
  UtteranceId utterance = 0;
  Error error;
};

/// Utterances that an earlier run left in the spool were taken up.
struct Recovered {
  std::size_t utterances = 0;
};

/// `state`: "idle", "opening", "listening", "speaking", "finishing".
struct StateChanged {
  std::string state, device;
};

/// Of the microphone, or what is heard in its place. `state`: as in Microphone.
struct SourceChanged {
  std::string state, device;
  std::string trouble;       // one line for a person; "": none
  std::int64_t dropped = 0;  // samples
};

struct ZoneChanged {
  memory::Gauge gauge{};
  memory::Zone from{}, to{};
  std::string reason;
};

/// What the governor did, but for ZoneChanged.
struct ActionTaken {
  memory::Action action;
};

struct TierChanged {
  std::string change;  // "loading", "ready", …
  std::string tier;
  Milliseconds took{};
  std::string text;  // for a person
};

/// What became of another program's speech, without a word of it.
struct Served {
  std::string source;   // "stream", "file"
  std::string outcome;  // as in metrics.h
  std::optional<std::string> tier = {};
  std::optional<Milliseconds> audio = {}, latency = {};
};

/// Something does not work as it should, and the service goes on.
struct Warning {
  Error error;
  std::optional<UtteranceId> utterance = {};
  std::optional<bool> again = {};  // that utterance is tried again
};

/// Worth a line, and nothing is wrong.
struct Notice {
  std::string text;
};

struct Reloaded {
  std::vector<std::string> changed, restart;  // configuration keys
};
struct DrainChanged {
  bool on = false;
};
struct SleepChanged {
  bool asleep = false;
};
struct YieldChanged {
  std::optional<std::string> who = {};  // nullopt: one has ended
  bool held = false;
};
/// The service ends, to be started again.
struct Restarting {
  std::string reason;
};
struct StatusChanged {
  Status status;
};

using Event = std::variant<SpeechBegan, SpeechEnded, SpeechDropped, PartialText, TextDelivered,
                           TargetTried, UtteranceFailed, Recovered, StateChanged, SourceChanged,
                           ZoneChanged, ActionTaken, TierChanged, Served, Warning, Notice, Reloaded,
                           DrainChanged, SleepChanged, YieldChanged, Restarting, StatusChanged>;

/// For std::visit: one lambda for each alternative that matters, and `[](const auto&) {}`.
template <class... Functions>
struct Visitor : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Visitor(Functions...) -> Visitor<Functions...>;

}  // namespace headroom::net
