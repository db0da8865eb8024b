// One session of OpenAI's realtime protocol, for transcription: the client's events in, calls of a
// SpeechStream and the server's events out. Pure but for the stream; one thread, which is the one
// the stream's events are brought to. docs/realtime.md has every event.
//
// Deltas carry what will not change any more, during speech; `completed` has the
// whole text. Each item is completed or failed once, in the order of the items.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "net/realtime/realtime_settings.h"
#include "net/server/client_audio.h"
#include "net/server/speech_service.h"

namespace headroom::net {

/// What the request for the WebSocket says.
struct RealtimeConnect {
  Spelling spelling = Spelling::kCurrent;
  bool for_transcription = false;  // intent=transcription
  std::string model;
  std::string language;
  std::string session;    // to be resumed, as session.created named it
  std::string last_item;  // "item_…": the client has its text and all before it
};
/// `target`: of the request, with its query. `beta`: the client asked for the beta's spelling in a
/// header. kInvalid: a field of the query makes no sense; fields that are not known are skipped.
Result<RealtimeConnect> ParseRealtimeConnect(std::string_view target, bool beta);

// Audio on its way to the stream, and whether its item ends with it.
struct IncomingAudio {
  std::string base64;  // or
  std::vector<std::uint8_t> bytes;
  std::size_t at = 0;          // of either
  std::vector<float> samples;  // converted from what is before `at`, and not taken
  bool commit = false;
  std::string event_id;  // of the client's event
};

class RealtimeSession {
 public:
  /// One server event, a line of JSON.
  using Send = std::function<void(std::string event)>;
  /// `nonce` is unique among all connections; ids of events begin with it.
  RealtimeSession(RealtimeConnect connect, std::string nonce, Send send);

  /// What the stream is to be opened with.
  StreamOptions Opening() const;
  /// It could not be: sends the error.
  void Refuse(const Error& error);
  /// Sends session.created. No other call but the above comes before this one.
  void Begin(std::unique_ptr<SpeechStream> stream);

  bool begun() const { return stream_ != nullptr; }

  /// No more audio is taken, which the client learns; what was taken still becomes text, and
  /// after it `on_idle` is called, on a thread of the service.
  void Drain(std::function<void()> on_idle);

  /// A message of the client. When it returns, or later OnEvent or Continue, and waits(), no other
  /// message may be given until it does not.
  void OnText(std::string_view message);
  void OnBinary(std::span<const std::uint8_t> audio);

  /// Of audio that was sent and not yet taken by the stream: kSoon when only not to keep others
  /// waiting, kLater when the service does not keep up. Call Continue then.
  enum class Wait { kNone, kSoon, kLater };
  Wait waits() const { return wait_; }
  void Continue();

  void OnEvent(const StreamEvent& event);

  /// Of audio, that the stream has taken.
  std::uint64_t samples() const { return samples_; }
  /// The newest item whose end was sent; 0: none.
  std::uint64_t last_ended() const { return last_ended_; }
  /// The client has everything that was sent until `item` had ended.
  void OnDelivered(std::uint64_t item);
  /// The client said goodbye: it will not resume.
  void Forget();

  /// A message that is no append is at most this long.
  static constexpr headroom::Bytes kLongestEvent = KiB(64);
  /// Of audio, in one append.
  static constexpr headroom::Bytes kMostAudio = MiB(15);

 private:
  struct Item {
    std::string sent;  // in deltas
    bool started = false, committed = false, cleared = false;
  };

  void Update(const nlohmann::json& event, const std::string& type);
  void Append(nlohmann::json& event);
  void Clear();
  bool Convert();
  bool Hand();
  bool Commit();
  void FinishIfDrained();

  void Committed(std::uint64_t id, Item& item);
  void Delta(std::uint64_t id, Item& item, const std::string& text);
  void Ended(const StreamEvent& event);

  std::string ItemId(std::uint64_t item) const;
  nlohmann::json ItemIdOrNull(std::uint64_t item) const;
  void SendEvent(const char* type, nlohmann::json event);
  void SendError(const char* type, const EventError& error, const std::string& client_event);
  void BadEvent(const EventError& error) { SendError("invalid_request_error", error, event_id_); }

  const Send send_;
  const std::string nonce_;
  std::uint64_t events_ = 0;
  const RealtimeConnect connect_;
  Spelling spelling_;
  RealtimeSettings settings_;
  AudioDecoder intake_;
  std::unique_ptr<SpeechStream> stream_;
  std::string item_prefix_;
  std::string event_id_;  // the client's, of the event at hand

  Wait wait_ = Wait::kNone;
  std::optional<IncomingAudio> incoming_;

  bool draining_ = false;
  std::function<void()> on_idle_;  // once what came before Drain has been taken

  std::map<std::uint64_t, Item> items_;  // begun and not ended
  std::uint64_t last_committed_ = 0;
  std::uint64_t last_ended_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t samples_ = 0;
};

}  // namespace headroom::net
