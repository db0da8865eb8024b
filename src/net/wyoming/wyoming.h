// One Wyoming connection as a state machine: events of the client and of its speech stream in, what
// is to be sent and done out. Pure; docs/wyoming.md has the events.
//
// What is heard is sent as it becomes certain (transcript-chunk), and once more whole at the end
// (transcript), which is the text that counts.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "net/server/client_audio.h"
#include "net/server/speech_service.h"
#include "net/wyoming/wyoming_event.h"

namespace headroom::net {

/// What an event leads to, in this order.
struct WyomingStep {
  bool drop = false;                    // the stream is not wanted any more
  std::optional<StreamOptions> open{};  // a stream
  std::vector<float> audio{};           // for the stream: 16 kHz mono
  bool finish = false;                  // the stream, once it has taken that
  std::vector<WyomingEvent> send{};
  bool describe = false;  // send WyomingInfo
  bool close = false;     // the connection, when all is sent
};

/// The answer to `describe`: what can be asked for.
WyomingEvent WyomingInfo(const ServiceState& state, const std::string& version);

class WyomingSession {
 public:
  /// One at a time, and none while `waiting`.
  WyomingStep OnEvent(const WyomingEvent& event);
  WyomingStep OnSpeech(const StreamEvent& event);
  /// Of the stream that was to be finished: its texts have come.
  WyomingStep OnIdle();
  /// The stream could not be opened or used, or took too long; or what was read is no event.
  WyomingStep OnFailed(const Error& error);

  /// The audio is complete and its text is not: what the client sends next has to wait.
  bool waiting() const { return state_ == State::kWaiting; }
  /// The client is in the middle of sending audio.
  bool listening() const { return state_ == State::kListening; }

 private:
  enum class State { kIdle, kListening, kWaiting };
  struct Format {
    int rate = 0, width = 0, channels = 0;  // Hz, bytes, 1 or 2
    friend bool operator==(const Format&, const Format&) = default;
  };

  Result<> Transcribe(const WyomingEvent& event);
  Result<> Start(const WyomingEvent& event, WyomingStep& step);
  Result<> Chunk(const WyomingEvent& event, WyomingStep& step);
  void Stop(WyomingStep& step);
  static Result<Format> FormatOf(const WyomingEvent& event);
  void SendChunk(const std::string& text, WyomingStep& step);
  WyomingStep Transcript();
  void Reset();

  State state_ = State::kIdle;
  SpeechRequest request_;
  std::optional<Format> format_;  // of the audio that comes
  std::optional<AudioDecoder> intake_;
  bool open_ = false;              // a stream is
  bool started_ = false;           // transcript-start was sent
  std::set<std::uint64_t> items_;  // begun and without text
  std::string text_;               // of all items that have theirs
  std::string sent_;               // as chunks: text_, and what is certain of the next item
  std::string language_;           // of the first text
  std::optional<Error> failed_;    // the first, of an item or the stream
};

}  // namespace headroom::net
