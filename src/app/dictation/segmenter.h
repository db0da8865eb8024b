// One stream of sound into the utterances in it: a Listener, and what becomes of its changes at an
// UtteranceSink. What a microphone and a client's stream have in common. Belongs to one thread.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "app/dictation/append_pace.h"
#include "audio/format/finite_audio.h"
#include "base/clock.h"
#include "base/error.h"
#include "speech/vad/listener.h"

namespace headroom::app {

/// Where utterances go. One utterance is open at a time.
class UtteranceSink {
 public:
  virtual ~UtteranceSink() = default;
  /// Listening begins or has ended: a model may be loaded, or be given up.
  virtual void SetListening(bool listening) = 0;
  /// An error means that speech cannot be kept any more; listening stops.
  virtual Result<> Begin() = 0;
  /// More of the open utterance. An error means what that of Begin does.
  virtual Result<> Append(std::span<const float> samples) = 0;
  /// Whether a partial text of the open utterance, which is so long by now, is wanted now.
  virtual bool WantsPartial(Milliseconds length) = 0;
  /// It is: the utterance so far.
  virtual void Partial(audio::FiniteAudio so_far) = 0;
  /// A pause: unless speech resumes, this is the whole utterance.
  virtual void Pause(audio::FiniteAudio whole) = 0;
  /// Speech has resumed.
  virtual void Resume() = 0;
  /// What is open ends inside speech; if another begins, it does so EndpointOptions::overlap before
  /// that end. Comes before End.
  virtual void Continues() {}
  /// The whole utterance, which shares its samples with that of the last Pause if it is no longer;
  /// of what was appended only the first `length` samples belong to it. Without samples: what was
  /// appended is all there is. `silence`: how long ago speech was heard.
  virtual Result<> End(audio::FiniteAudio whole, std::int64_t length,
                       const speech::Evidence& evidence, Milliseconds silence) = 0;
  /// It is not wanted.
  virtual void Drop() = 0;
};

struct SegmenterOptions {
  speech::EndpointOptions endpoint = {};
  /// The utterance so far is offered for a partial so often; zero: never.
  Milliseconds partial_every{250};
};

struct SegmenterEvents {
  /// kBegin comes before the call of the sink, every other change after it. May be empty.
  std::function<void(const speech::Change&)> on_change;
  std::function<void(const Error&)> on_warning;
};

class Segmenter {
 public:
  /// `detector`, `intake` and `clock` must outlive it.
  Segmenter(const SegmenterOptions& options, speech::SpeechProbability& detector,
            UtteranceSink& sink, SegmenterEvents events, const Clock& clock);

  /// At most a second of samples. False: nothing can be kept any more, and what is open was ended.
  bool Take(audio::FiniteSpan samples);
  /// The stream ends, or has a gap here: what is open is an utterance. False as above.
  bool Finish();
  /// What is open is dropped, and the stream starts over.
  void Cancel();

  /// An utterance is.
  bool open() const { return listener_.open(); }
  /// There is a pause in it.
  bool paused() const { return paused_; }

 private:
  bool Handle(std::span<const speech::Change> changes);
  bool HandleOne(const speech::Change& change);
  audio::FiniteAudio Audio(std::int64_t begin, std::int64_t end);
  bool AppendUpTo(std::int64_t end);
  void MaybePartial();
  void Changed(const speech::Change& change) {
    if (events_.on_change) events_.on_change(change);
  }

  const SegmenterOptions options_;
  UtteranceSink& sink_;
  const SegmenterEvents events_;
  speech::Listener listener_;
  std::int64_t begin_ = 0;     // of the open utterance
  std::int64_t appended_ = 0;  // up to here it is in the spool
  AppendPace pace_;
  std::int64_t partial_at_ = 0;
  bool paused_ = false;
  struct Held {
    std::int64_t begin = 0, end = 0;
    audio::FiniteAudio audio;
  };
  std::optional<Held> held_;  // that the sink was given at the last pause
  bool warned_ = false;       // of a piece of the open utterance that the spool did not take
};

}  // namespace headroom::app
