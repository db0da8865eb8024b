// What a realtime session is set to, read from and shown in both of OpenAI's spellings: the current
// one (session.audio.input…) and the beta's flat one (input_audio_format…). Pure.
// docs/realtime.md has every field.
#pragma once

#include <expected>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "net/server/client_audio.h"
#include "net/server/speech_service.h"

namespace headroom::net {

enum class Spelling { kCurrent, kBeta };

struct RealtimeSettings {
  ClientFormat format;
  std::string model;     // as the client said it
  std::string language;  // ISO 639-1
  std::string prompt;
  std::optional<TurnDetection> turns = TurnDetection{};

  StreamOptions ForStream() const;
};

/// What was wrong with a client's event, as OpenAI's error object has it.
struct EventError {
  std::string code;   // "invalid_type"
  std::string param;  // "session.audio.input.format.rate"; "" : none
  std::string message;
};

/// The settings with the fields of an update's `session`; those it does not name stay.
std::expected<RealtimeSettings, EventError> Apply(const nlohmann::json& session, Spelling spelling,
                                                  RealtimeSettings settings);

/// The session object of session.created and .updated. `id`: of the session.
nlohmann::json SessionJson(const RealtimeSettings& settings, Spelling spelling,
                           const std::string& id);

/// What the service calls a model: OpenAI's own names mean whatever is loaded.
std::string ServiceModel(const std::string& model);

}  // namespace headroom::net
