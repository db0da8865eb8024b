#include "daemon/dictation.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace headroom::daemon {
namespace {

constexpr std::size_t kBlock = 1600;  // 100 ms at once
constexpr Milliseconds kPatience{50};
constexpr Milliseconds kTail{120};       // on its way through the sound server when it is over
constexpr Milliseconds kLostFor{1'500};  // then what was said before is an utterance
constexpr std::int64_t kPerMillisecond = 16;

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
                     DetectorMaker make_detector, Intake& intake, EventSink events,
                     const Clock& clock)
    : options_(options),
      source_(std::move(source)),
      make_detector_(std::move(make_detector)),
      intake_(intake),
      events_(std::move(events)),
      clock_(clock),
      block_(kBlock),
      thread_([this] { Loop(); }) {}

Dictation::~Dictation() {
  {
    const std::lock_guard lock(mutex_);
    wish_ = Wish::kEnd;
  }
  changed_.notify_all();
  thread_.join();
}

void Dictation::Listen() {
  {
    const std::lock_guard lock(mutex_);
    if (wish_ == Wish::kEnd) return;
    wish_ = Wish::kListen;
  }
  changed_.notify_all();
}

void Dictation::Finish() {
  const std::lock_guard lock(mutex_);
  if (wish_ == Wish::kListen) wish_ = Wish::kFinish;
}

void Dictation::Cancel() {
  const std::lock_guard lock(mutex_);
  if (wish_ == Wish::kListen || wish_ == Wish::kFinish) wish_ = Wish::kCancel;
}

bool Dictation::wanted() const {
  return wish() == Wish::kListen;
}

Dictation::Wish Dictation::wish() const {
  const std::lock_guard lock(mutex_);
  return wish_;
}

void Dictation::SetState(DictationState state) {
  if (state_.exchange(state) == state) return;
  events_({"state", {{"state", Name(state)}, {"device", source_->report().device}}});
}

void Dictation::Trouble(const Error& error) {
  events_({"trouble", {{"text", error.what}, {"code", Name(error.code)}}});
}

void Dictation::Loop() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return wish_ != Wish::kIdle; });
      if (wish_ == Wish::kEnd) return;
      if (wish_ != Wish::kListen) {  // a key that was only touched
        wish_ = Wish::kIdle;
        continue;
      }
    }
    ListenOnce();
    {
      const std::lock_guard lock(mutex_);
      // Who said "listen" again meanwhile is obeyed in the next round.
      if (wish_ == Wish::kFinish || wish_ == Wish::kCancel) wish_ = Wish::kIdle;
    }
    SetState(DictationState::kIdle);
  }
}

// The source first: it takes longer, and what comes meanwhile waits in it.
bool Dictation::Open() {
  if (const auto opened = source_->Open(); !opened) {
    Trouble(opened.error());
    return false;
  }
  auto made = make_detector_();
  if (!made) {
    Trouble(made.error());
    return false;
  }
  detector_ = std::move(*made);
  listener_.emplace(*detector_, options_.endpoint);
  return true;
}

void Dictation::ListenOnce() {
  const auto give_up = [this] {
    const std::lock_guard lock(mutex_);
    if (wish_ == Wish::kListen) wish_ = Wish::kIdle;
  };
  SetState(DictationState::kOpening);
  intake_.SetListening(true);
  source_ended_ = false;
  last_report_ = {};
  speech_at_ = heard_at_ = clock_.Now();
  bool going = Open(), ended = false;
  while (going && wish() == Wish::kListen) {
    const auto read = source_->Read(block_, kPatience);
    WatchSource();
    if (!read) {
      Trouble(read.error());
      break;
    }
    if (*read == 0) {
      ended = source_->ended();  // not known any more once it is closed
      if (ended) break;
      const MonoTime now = clock_.Now();
      const Milliseconds away = Since(heard_at_, now);
      // What comes after a break does not belong to the sentence before it.
      if (listener_->open() && away >= kLostFor) going = Handle(listener_->Finish());
      if (options_.give_up.count() > 0 && Since(speech_at_, now) >= options_.give_up) break;
      continue;
    }
    if (state_ == DictationState::kOpening) SetState(DictationState::kListening);
    going = Take(std::span(block_).first(*read));
    if (options_.give_up.count() > 0 && !listener_->open() &&
        Since(speech_at_, clock_.Now()) >= options_.give_up) {
      events_({"notice", {{"text", "listening ended: nothing was said for a while"}}});
      break;
    }
  }
  if (!listener_) {
    source_->Close();
  } else if (wish() == Wish::kCancel) {
    source_->Close();
    if (listener_->open()) intake_.Drop();
    listener_->Cancel();
    static_cast<void>(listener_->Finish());
  } else {
    SetState(DictationState::kFinishing);
    if (going) Drain();
    source_->Close();
    static_cast<void>(Handle(listener_->Finish()));
  }
  listener_.reset();
  detector_.reset();
  give_up();
  intake_.SetListening(false);
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
  if (report.state != last_report_.state || report.trouble != last_report_.trouble ||
      report.device != last_report_.device || report.dropped != last_report_.dropped) {
    events_({"source",
             {{"state", audio::Name(report.state)},
              {"device", report.device},
              {"trouble", report.trouble},
              {"dropped", report.dropped}}});
  }
  last_report_ = std::move(report);
}

bool Dictation::Take(std::span<const float> samples) {
  heard_at_ = clock_.Now();
  const auto changes = listener_->Feed(samples);
  if (!changes) {
    Trouble(changes.error());
    static_cast<void>(Handle(listener_->Finish()));
    return false;
  }
  if (!Handle(*changes)) return false;
  if (!listener_->open()) return true;
  if (!paused_) speech_at_ = heard_at_;
  if (listener_->heard() - appended_ >= options_.append_every.count() * kPerMillisecond &&
      !AppendUpTo(listener_->heard())) {
    return false;
  }
  MaybePartial();
  return true;
}

bool Dictation::Handle(std::span<const speech::Change> changes) {
  // The span is the listener's and holds until its next call; HandleOne calls only Audio.
  return std::all_of(changes.begin(), changes.end(),
                     [this](const speech::Change& change) { return HandleOne(change); });
}

bool Dictation::HandleOne(const speech::Change& change) {
  const auto audio = [this](std::int64_t begin, std::int64_t end) {
    auto samples = listener_->Audio(begin, end);
    CHECK(samples.has_value());  // the listener keeps what it speaks of
    return std::move(*samples);
  };
  switch (change.kind) {
    case speech::SpeechChange::kBegin: {
      begin_ = appended_ = partial_at_ = change.begin;
      paused_ = told_ = false;
      SetState(DictationState::kSpeaking);
      if (const auto begun = intake_.Begin(); !begun) {
        Trouble(begun.error());
        listener_->Cancel();
        return false;
      }
      return true;
    }
    case speech::SpeechChange::kPause:
      paused_ = true;
      if (!AppendUpTo(change.end)) return false;
      intake_.Pause(audio(change.begin, change.end));
      return true;
    case speech::SpeechChange::kResume:
      paused_ = false;
      partial_at_ = listener_->heard();
      intake_.Resume();
      return true;
    case speech::SpeechChange::kEnd: {
      if (!AppendUpTo(change.end)) return false;
      const auto silence = Milliseconds(std::max<std::int64_t>(
          0,
          (listener_->heard() - change.end) / kPerMillisecond + options_.endpoint.pause.count()));
      const auto ended = intake_.End(audio(change.begin, change.end), change.end - change.begin,
                                     change.evidence, silence);
      speech_at_ = clock_.Now();
      SetState(DictationState::kListening);
      if (!ended) {
        Trouble(ended.error());
        return false;
      }
      return true;
    }
  }
  return true;
}

bool Dictation::AppendUpTo(std::int64_t end) {
  if (end <= appended_) return true;
  auto samples = listener_->Audio(appended_, end);
  CHECK(samples.has_value());
  const auto kept = intake_.Append(*samples);
  if (!kept && kept.error().code == Errc::kNoSpace) {
    Trouble(kept.error());
    // What is in the spool up to here is an utterance all the same.
    static_cast<void>(intake_.End({}, appended_ - begin_, {}, Milliseconds(0)));
    listener_->Cancel();
    return false;
  }
  // Of a disk that fails a person is told; the text comes all the same.
  if (!kept && !std::exchange(told_, true)) Trouble(kept.error());
  appended_ = end;
  return true;
}

void Dictation::MaybePartial() {
  if (options_.partial_every.count() == 0 || paused_) return;
  if (listener_->heard() - partial_at_ < options_.partial_every.count() * kPerMillisecond) return;
  auto samples = listener_->Audio(begin_, listener_->heard());
  if (!samples) return;
  partial_at_ = listener_->heard();
  intake_.Partial(std::move(*samples));
}

}  // namespace headroom::daemon
