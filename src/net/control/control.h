// The control socket: what the daemon offers to commands and programs of the same user, as HTTP
// with JSON and event streams over a Unix socket. docs/control.md has every route and event.
//
// The daemon implements ControlService; ControlServer speaks HTTP on a thread of its own, asks the
// service, and sends events to every subscriber. Everything a client can make grow is bounded:
// connections, header, body, time for a request, events waiting for a reader.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "net/server/counters.h"
#include "speech/text/recognition_options.h"

namespace headroom::net {

/// Answers one request: call it once, from any thread, whether or not the server still lives.
/// Destroyed without a call it answers kInternal. The JSON is an object.
class Answer {
 public:
  using Sink = std::function<void(Result<nlohmann::json>)>;
  explicit Answer(Sink sink) : sink_(std::move(sink)) {}
  Answer(Answer&& other) noexcept : sink_(std::exchange(other.sink_, nullptr)) {}
  Answer& operator=(Answer&& other) = delete;
  ~Answer();

  void operator()(Result<nlohmann::json> result);

 private:
  Sink sink_;  // empty once it has answered
};

struct ListenRequest {
  std::string language;  // "" : the configured one
};

struct HistoryRequest {
  int limit = 20;  // newest first
  bool undelivered_only = false;
};

using YieldId = std::uint64_t;  // never 0, not used twice

/// A piece of a recording that the client reads and cuts itself.
struct RecognizeRequest : speech::RecognitionOptions {
  Fd audio = Fd();  // sealed memory (base/fd.h): 16 kHz mono, 32-bit float
};
using RecognitionId = std::uint64_t;  // as YieldId

/// What the daemon does for its clients. Every call comes on a server's thread (the control
/// socket's, and for some the HTTP server's) and must not block: take the answer along and return.
/// Unless said otherwise the answer is status.h's Status after the change, as JSON. None is called
/// after the servers have gone.
class ControlService {
 public:
  virtual ~ControlService() = default;

  /// Answers once samples really arrive, so a first word spoken after it is whole. Listening
  /// already: answers at once.
  virtual void Listen(const ListenRequest& request, Answer answer) = 0;
  /// Ends listening; what was said is still turned into text and delivered.
  virtual void Finish(Answer answer) = 0;
  /// Listen or Finish, whichever changes something.
  virtual void Toggle(Answer answer) = 0;
  /// Ends listening and forgets what was not delivered yet.
  virtual void Cancel(Answer answer) = 0;
  /// Reads the configuration again. On a mistake everything stays as it was and the answer is the
  /// error. Otherwise: {"changed": [keys], "restart": [keys that need one]}.
  virtual void Reload(Answer answer) = 0;
  /// Ends the service; what was said is in the spool. Answers before the socket closes.
  virtual void Shutdown(Answer answer) = 0;

  /// On: what programs have begun (recordings, streams) is finished and nothing new of theirs is
  /// taken, until it is off again. Dictation goes on. kUnsupported: nothing is served.
  virtual void SetDraining(bool on, Answer answer) = 0;

  /// {"installed": […], "tiers": […]}: docs/control.md.
  virtual void GetModels(Answer answer) = 0;
  /// What happens when listening begins. Answers as GetModels once a tier is ready; kNoMemory with
  /// the reason when none fits.
  virtual void LoadModel(Answer answer) = 0;
  /// What happens when there was no speech for long. Answers as GetModels once the memory is back;
  /// kBusy during speech, or while a text is awaited.
  virtual void UnloadModel(Answer answer) = 0;

  /// The memory report of that much of the past, as one HTML page: {"html": "…"}. "12h" and the
  /// like. kBusy while another is made.
  virtual void GetReport(const std::string& since, Answer answer) = 0;

  virtual void GetStatus(Answer answer) = 0;
  /// {"entries": [status.h's HistoryEntry…]}
  virtual void GetHistory(const HistoryRequest& request, Answer answer) = 0;
  /// Delivers a text again: that entry, or nullopt for the newest one that was not delivered, else
  /// the newest. {"id": …, "text": …}; kNotFound when there is none.
  virtual void PasteHistory(std::optional<std::int64_t> id, Answer answer) = 0;
  /// Forgets all texts. {"forgotten": count}
  virtual void ClearHistory(Answer answer) = 0;

  /// A program wants the GPU to itself until EndYield. Answers once the GPU has been left:
  /// {"freed_bytes": …} or anything else worth knowing. Several may hold it at once. After an error
  /// given in time no EndYield follows.
  virtual void BeginYield(YieldId id, const std::string& who, Answer answer) = 0;
  /// Its client has gone, perhaps before the answer. An id that is not known is to be ignored.
  virtual void EndYield(YieldId id) = 0;

  /// Text for one piece, with the model that is loaded for everybody, after what is more urgent:
  /// {"result": worker protocol's RunResult, "tier": "whisper-base Q8_0 on cpu"}. However long it
  /// takes. kBusy: too many ask at once.
  virtual void BeginRecognition(RecognitionId id, RecognizeRequest request, Answer answer) = 0;
  /// Always follows: it was answered, or its client has gone.
  virtual void EndRecognition(RecognitionId id) = 0;
};

struct ServerOptions {
  std::filesystem::path socket;  // its folder is made with mode 0700
  std::size_t most_connections = 256;
  Bytes header_limit = KiB(8);
  Bytes body_limit = KiB(64);
  Milliseconds request_time{30'000};  // to send a request, or to be idle between two
  Milliseconds answer_time{60'000};   // for the service
  Milliseconds write_time{10'000};    // for a client to take what it is sent
  Milliseconds keep_alive{15'000};    // a comment on idle streams, so that dead ones are noticed
  std::size_t events_waiting = 256;   // for one subscriber
  Bytes bytes_waiting = KiB(512);     // the same
};

/// Since the server began; also in GET /v1/status as "control".
struct ServerCounters : HttpCounters {
  std::uint64_t unanswered = 0;  // requests that the service did not answer within answer_time
};

class ControlServer {
 public:
  /// Binds the socket, mode 0600, and serves until destroyed. A socket without a listener is
  /// replaced; kBusy "already running, pid N" when it has one. `service` outlives the server.
  static Result<std::unique_ptr<ControlServer>> Start(const ServerOptions& options,
                                                      ControlService& service);
  ~ControlServer();

  /// One event to every subscriber. Any thread, never blocks.
  void Publish(std::string_view name, const nlohmann::json& data);
  /// Whether there is a subscriber; lets the caller skip making it.
  bool has_subscribers() const;
  ServerCounters counters() const;

 private:
  struct Core;
  explicit ControlServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  std::shared_ptr<Core> core_;
};

}  // namespace headroom::net
