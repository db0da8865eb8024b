#include "app/dictation/dictation.h"

#include <algorithm>
#include <utility>

namespace headroom::app {
namespace {

constexpr std::size_t kBlock = 1600;  // 100 ms at once
// In silence three frames are processed together, which takes 0.4 of the CPU time that
// three alone take: the detector's weights come from memory once. What was said meanwhile is not
// missed.
constexpr std::size_t kQuietPiece = 3 * speech::kFrameSamples;
constexpr Milliseconds kPatience{50};
constexpr Milliseconds kTail{120};       // on its way through the sound server when it is over
constexpr Milliseconds kLostFor{1'500};  // then what was said before is an utterance

Milliseconds Since(MonoTime then, MonoTime now) {
  return std::chrono::duration_cast<Milliseconds>(now - then);
}

}  // namespace

std::string_view Name(DictationState state) {
  switch (state) {
    case DictationState::kIdle:
      return "idle";
    case DictationState::kOpening:
      return "opening";
    case DictationState::kListening:
      return "listening";
    case DictationState::kSpeaking:
      return "speaking";
    case DictationState::kFinishing:
      return "finishing";
  }
  return "?";
}

Dictation::Dictation(const DictationOptions& options, std::unique_ptr<audio::Source> source,
                     DetectorMaker make_detector, UtteranceSink& sink, EventSink events,
                     const Clock& clock)
    : options_(options),
      source_(std::move(source)),
      make_detector_(std::move(make_detector)),
      sink_(sink),
      events_(std::move(events)),
      clock_(clock),
      block_(kBlock),
      thread_([this] { Loop(); }) {}

Dictation::~Dictation() {
  {
    const MutexLock lock(mutex_);
    requested_ = Request::kEnd;
  }
  changed_.NotifyAll();
  thread_.join();
}

void Dictation::Listen() {
  {
    const MutexLock lock(mutex_);
    if (requested_ == Request::kEnd) return;
    requested_ = Request::kListen;
  }
  changed_.NotifyAll();
}

void Dictation::Finish() {
  const MutexLock lock(mutex_);
  if (requested_ == Request::kListen) requested_ = Request::kFinish;
}

void Dictation::Cancel() {
  const MutexLock lock(mutex_);
  if (requested_ == Request::kListen || requested_ == Request::kFinish)
    requested_ = Request::kCancel;
}

bool Dictation::wanted() const {
  return requested() == Request::kListen;
}

Dictation::Request Dictation::requested() const {
  const MutexLock lock(mutex_);
  return requested_;
}

void Dictation::SetState(DictationState state) {
  if (state_.exchange(state) == state) return;
  events_(net::StateChanged{std::string(Name(state)), source_->report().device});
}

void Dictation::Warn(const Error& error) {
  events_(net::Warning{error});
}

void Dictation::Loop() {
  while (true) {
    {
      const MutexLock lock(mutex_);
      changed_.Wait(mutex_, [this]() REQUIRES(mutex_) { return requested_ != Request::kIdle; });
      if (requested_ == Request::kEnd) return;
      if (requested_ != Request::kListen) {  // a key that was only touched
        requested_ = Request::kIdle;
        continue;
      }
      busy_ = true;
    }
    ListenOnce();
    {
      const MutexLock lock(mutex_);
      // A Listen that came meanwhile is for the next round.
      if (requested_ == Request::kFinish || requested_ == Request::kCancel)
        requested_ = Request::kIdle;
    }
    SetState(DictationState::kIdle);
    {
      const MutexLock lock(mutex_);
      busy_ = false;
    }
    changed_.NotifyAll();
  }
}

bool Dictation::WaitUntilIdle(Milliseconds wait) {
  const MutexLock lock(mutex_);
  return changed_.WaitFor(
      mutex_, wait, [this]() REQUIRES(mutex_) { return !busy_ && requested_ != Request::kListen; });
}

// The source first: it takes longer, and what comes meanwhile waits in it.
bool Dictation::Open() {
  if (const auto opened = source_->Open(); !opened) {
    Warn(opened.error());
    return false;
  }
  auto made = make_detector_();
  if (!made) {
    Warn(made.error());
    return false;
  }
  detector_ = std::move(*made);
  segmenter_.emplace(options_.segmenter, *detector_, sink_,
                     SegmenterEvents{.on_change = [this](const auto& change) { Changed(change); },
                                     .on_warning = [this](const Error& error) { Warn(error); }},
                     clock_);
  return true;
}

void Dictation::ListenOnce() {
  const auto give_up = [this] {
    const MutexLock lock(mutex_);
    if (requested_ == Request::kListen) requested_ = Request::kIdle;
  };
  SetState(DictationState::kOpening);
  sink_.SetListening(true);
  source_ended_ = false;
  last_report_ = {};
  speech_at_ = heard_at_ = clock_.Now();
  bool going = Open(), ended = false;
  std::size_t held = 0;  // samples that the detector has not seen
  while (going && requested() == Request::kListen) {
    const auto read = source_->Read(std::span(block_).subspan(held), kPatience);
    WatchSource();
    if (!read) {
      Warn(read.error());
      break;
    }
    held += *read;
    if (held == 0) {
      ended = source_->ended();  // not known any more once it is closed
      if (ended) break;
      const MonoTime now = clock_.Now();
      const Milliseconds away = Since(heard_at_, now);
      // What comes after a break does not belong to the sentence before it.
      if (segmenter_->open() && away >= kLostFor) going = segmenter_->Finish();
      if (options_.give_up.count() > 0 && Since(speech_at_, now) >= options_.give_up) break;
      continue;
    }
    if (state_ == DictationState::kOpening) SetState(DictationState::kListening);
    if (*read > 0 && held < kQuietPiece && !segmenter_->open()) continue;
    going = Take(std::span(block_).first(std::exchange(held, 0)));
    if (options_.give_up.count() > 0 && !segmenter_->open() &&
        Since(speech_at_, clock_.Now()) >= options_.give_up) {
      events_(net::Notice{"listening ended: nothing was said for a while"});
      break;
    }
  }
  if (!segmenter_) {
    source_->Close();
  } else if (requested() == Request::kCancel) {
    source_->Close();
    segmenter_->Cancel();
  } else {
    SetState(DictationState::kFinishing);
    if (going && held > 0) going = Take(std::span(block_).first(held));
    if (going) Drain();
    source_->Close();
    static_cast<void>(segmenter_->Finish());
  }
  segmenter_.reset();
  detector_.reset();
  give_up();
  sink_.SetListening(false);
  source_ended_ = ended;
}

// The last syllable is still on its way when the key is released.
void Dictation::Drain() {
  const MonoTime until = clock_.Now() + kTail;
  while (!source_->ended()) {
    const Milliseconds left = Since(clock_.Now(), until);
    if (left.count() <= 0) break;
    const auto read = source_->Read(block_, std::min(left, kPatience));
    if (!read) return;
    if (*read > 0 && !Take(std::span(block_).first(*read))) return;
  }
  source_->Close();
  while (true) {
    const auto read = source_->Read(block_, Milliseconds(0));
    if (!read || *read == 0) return;
    if (!Take(std::span(block_).first(*read))) return;
  }
}

void Dictation::WatchSource() {
  audio::SourceReport report = source_->report();
  if (report.state != last_report_.state || report.problem != last_report_.problem ||
      report.device != last_report_.device || report.dropped != last_report_.dropped) {
    events_(net::SourceChanged{std::string(audio::Name(report.state)), report.device,
                               report.problem, report.dropped});
  }
  last_report_ = std::move(report);
}

bool Dictation::Take(std::span<const float> samples) {
  heard_at_ = clock_.Now();
  if (!segmenter_->Take(audio::FiniteSpan::OfFinite(samples))) return false;
  if (segmenter_->open() && !segmenter_->paused()) speech_at_ = heard_at_;
  return true;
}

void Dictation::Changed(const speech::Change& change) {
  if (change.kind == speech::SpeechChange::kBegin) SetState(DictationState::kSpeaking);
  if (change.kind != speech::SpeechChange::kEnd) return;
  speech_at_ = clock_.Now();
  SetState(DictationState::kListening);
}

}  // namespace headroom::app
