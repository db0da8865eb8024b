// What programs on the network may ask of the loaded model: whole recordings and live streams. The
// daemon implements it; the HTTP, WebSocket and Wyoming servers of this folder speak for clients.
//
// Events come on threads of the service, one at a time for each job or stream, and must return
// soon. A job or stream may be destroyed from any thread but that of its own events; no event comes
// after its destructor has returned.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "speech/text/recognition_options.h"
#include "speech/text/transcript.h"

namespace headroom::net {

/// How speech is to be recognised, and by what.
struct SpeechRequest : speech::RecognitionOptions {
  std::string model = {};  // "" or "whisper-1": what is loaded; else one of ServiceState::models
};

// ---- whole recordings ----

/// Any thread of the service. on_end comes exactly once, and last.
struct JobEvents {
  std::function<void(const speech::Segment&)> on_segment;  // in order of time, as it is recognised
  struct Outcome {
    std::string language;     // ISO 639-1; "" when not known
    Milliseconds duration{};  // of the audio
    std::string model;        // what recognised it: "whisper-base Q8_0 on cpu"
    std::vector<std::string> warnings;
  };
  /// kInvalid, kCorrupt, kUnsupported: the recording or the request. kBusy: too much waits, come
  /// again. kCancelled, kTimeout, anything else: ours.
  std::function<void(Result<Outcome>)> on_end;
};

/// Destroyed: cancelled.
class TranscriptionJob {
 public:
  virtual ~TranscriptionJob() = default;
};

// ---- live streams ----

/// When speech is cut into utterances ("items") by the service.
struct TurnDetection {
  double threshold = 0.5;  // probability of speech, 0 to 1
  Milliseconds prefix_padding{300};
  Milliseconds silence{800};  // that ends an utterance
};

struct StreamOptions {
  SpeechRequest request = {};
  std::optional<TurnDetection> turns = TurnDetection{};  // nullopt: only Commit ends an utterance
  bool partials = true;
  /// Of a stream whose client was lost; "" : a new one. kNotFound when it is over or in use.
  std::string resume = {};
  /// With `resume`: the last item whose text the client has; its text and those before do not come
  /// again. 0: none.
  std::uint64_t have = 0;
};

/// Items have ascending numbers, none of them 0, never used twice in a session, also when it is
/// resumed after the service was killed. For each item: kStarted, kStopped (only with turn
/// detection), kCommitted, kPartial (any number, from kStarted to the end), then exactly one of
/// kText and kFailed. Texts come in the order of the items.
struct StreamEvent {
  enum class Kind {
    kStarted,    // speech began at `at`
    kStopped,    // until `at`
    kCommitted,  // the item's audio is complete, and kept until its text is delivered
    kPartial,    // what is known so far: `text` will not change, `tentative` may
    kText,       // final; `text` may be "" : nothing was said
    kFailed,     // `error`; the others go on
    kDropped,    // the item was begun and is not wanted (Clear)
    kWarning,    // `error`, of the stream and not of an item: audio was lost, the disk is full
  };
  Kind kind = Kind::kWarning;
  std::uint64_t item = 0;
  Milliseconds at{};     // of the stream's audio
  Milliseconds audio{};  // kText, kCommitted: the length of the item
  std::string text;
  std::string tentative;
  std::string language;  // kText
  Error error{};
};

/// Any thread, one at a time. Destroyed: the client is gone. Within a minute it may be resumed, and
/// then gets what it missed; what was complete is recognised meanwhile.
class SpeechStream {
 public:
  virtual ~SpeechStream() = default;
  /// Unguessable; names the session for StreamOptions::resume.
  virtual const std::string& session() const = 0;
  /// 16 kHz mono, any length up to 10 s; what is not finite becomes silence. Waits for no
  /// disk.
  /// kBusy: the service does not keep up and this was NOT taken; send it again later.
  virtual Result<> Append(std::span<const float> samples) = 0;
  /// Ends the item at what was appended so far. kInvalid: nothing was since the last item.
  virtual Result<> Commit() = 0;
  /// Forgets what was appended and is not committed.
  virtual void Clear() = 0;
  /// For items that begin from now on. `resume` and `have` are ignored.
  virtual Result<> Configure(const StreamOptions& options) = 0;
  /// The client has everything up to this item: nothing is kept for a resume.
  virtual void Acknowledge(std::uint64_t item) = 0;
  /// No more audio: Commit, if there is any, and after its text `on_idle`.
  virtual void Finish(std::function<void()> on_idle) = 0;
  /// Ends the session for good when this is destroyed: it cannot be resumed, nothing is kept.
  virtual void Forget() = 0;
};

// ---- the service ----

struct ServedModel {
  std::string id;                      // "whisper-base"
  std::vector<std::string> languages;  // ISO 639-1; empty: it does not say
  bool loaded = false;
};

struct ServiceState {
  bool ready = false;          // takes new work now
  std::string reason;          // when it does not: for a person
  Milliseconds retry_after{};  // when it does not
  std::string zone = "safe";
  Milliseconds queue{};  // speech that waits for its text
  std::size_t jobs = 0, streams = 0;
  std::vector<ServedModel> models;
};

class SpeechService {
 public:
  virtual ~SpeechService() = default;
  /// `recording`: a media file of any kind, read from its start and parsed outside of this process.
  /// An error is a refusal, after which no event comes: kNotFound: no such model; kBusy: nothing
  /// more is taken now. Must not block.
  virtual Result<std::unique_ptr<TranscriptionJob>> Transcribe(Fd recording, SpeechRequest request,
                                                               JobEvents events) = 0;
  /// Must not block for longer than a disk takes. kBusy: no room for another stream now.
  virtual Result<std::unique_ptr<SpeechStream>> OpenStream(
      StreamOptions options, std::function<void(const StreamEvent&)> on_event) = 0;
  virtual ServiceState State() const = 0;
  /// Prometheus text, without what the servers of this folder count themselves.
  virtual std::string Metrics() const = 0;
  /// JSON for the page and /api. `name`: "status" (status.h, without partial text) or "plan";
  /// nullopt for any other.
  virtual std::optional<std::string> Inspect(const std::string& name) const = 0;
};

}  // namespace headroom::net
