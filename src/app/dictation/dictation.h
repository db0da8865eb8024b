// The thread between the microphone and the pipeline: samples in, utterances out. It alone reads
// the source and runs the voice activity detector; the pipeline puts everything into the spool and
// has it decoded. The microphone is open only while it listens.
//
// Listen, Finish and Cancel may be called from any thread and return at once.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "app/dictation/events.h"
#include "app/dictation/segmenter.h"
#include "audio/capture/source.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace headroom::app {

struct DictationOptions {
  SegmenterOptions segmenter = {};
  /// Listening ends after so long without speech; zero: never.
  Milliseconds give_up{60'000};
};

enum class DictationState {
  kIdle,     // the microphone is closed
  kOpening,  // it is being opened: do not speak yet
  kListening,
  kSpeaking,  // an utterance is open
  kFinishing,
};
std::string_view Name(DictationState state);  // "idle", "opening", …

class Dictation {
 public:
  /// What hears speech takes memory, so there is one only while listening.
  using DetectorMaker = std::function<Result<std::unique_ptr<speech::SpeechProbability>>()>;

  /// `source` and what `make_detector` makes are used by this object's thread only.
  Dictation(const DictationOptions& options, std::unique_ptr<audio::Source> source,
            DetectorMaker make_detector, UtteranceSink& sink, EventSink events,
            const Clock& clock = SystemClock());
  ~Dictation();  // as Finish, and waits for it
  Dictation(const Dictation&) = delete;
  Dictation& operator=(const Dictation&) = delete;

  void Listen();
  /// What was said until now is an utterance; then the microphone is closed.
  void Finish();
  /// The open utterance is dropped, and the microphone closed.
  void Cancel();

  /// The microphone is closed, and what was heard has been handed over. False: not within `wait`.
  bool WaitUntilIdle(Milliseconds wait);
  bool wanted() const;  // Listen was called, and neither Finish nor Cancel since
  DictationState state() const { return state_.load(); }
  audio::SourceReport source() const { return source_->report(); }
  /// The source ended (a file was played to its end) and everything in it has been handed over.
  bool source_ended() const { return source_ended_.load(); }

 private:
  enum class Request { kIdle, kListen, kFinish, kCancel, kEnd };

  void Loop();
  void ListenOnce();
  bool Open();
  /// False: listening must end.
  bool Take(std::span<const float> samples);
  void Changed(const speech::Change& change);
  void Drain();
  void WatchSource();
  void SetState(DictationState state);
  void Warn(const Error& error);
  Request requested() const;

  const DictationOptions options_;
  const std::unique_ptr<audio::Source> source_;
  const DetectorMaker make_detector_;
  UtteranceSink& sink_;
  const EventSink events_;
  const Clock& clock_;

  // The thread's own.
  std::unique_ptr<speech::SpeechProbability> detector_;  // while listening
  std::optional<Segmenter> segmenter_;                   // while listening
  std::vector<float> block_;
  MonoTime heard_at_{};   // when samples came last
  MonoTime speech_at_{};  // when speech was heard last, or listening began
  audio::SourceReport last_report_;

  std::atomic<DictationState> state_{DictationState::kIdle};
  std::atomic<bool> source_ended_{false};
  mutable Mutex mutex_;
  CondVar changed_;
  Request requested_ GUARDED_BY(mutex_) = Request::kIdle;
  bool busy_ GUARDED_BY(mutex_) = false;  // the thread listens, or finishes that
  std::thread thread_;
};

}  // namespace headroom::app
