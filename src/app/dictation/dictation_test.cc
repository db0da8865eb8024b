#include "app/dictation/dictation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/mutex.h"
#include "base/testing/eventually.h"
#include "net/control/event_json.h"
#include "speech/testing/fake_vad.h"

namespace headroom::app {
namespace {

using std::chrono::seconds;

/// Says how many samples it is given at once.
class CountingVad : public speech::FakeVad {
 public:
  explicit CountingVad(std::vector<std::size_t>& pieces) : pieces_(pieces) {}
  Result<std::span<const float>> Feed(std::span<const float> samples) override {
    pieces_.push_back(samples.size());
    return FakeVad::Feed(samples);
  }

 private:
  std::vector<std::size_t>& pieces_;
};

/// Gives what it was filled with, then ends, or waits for more.
class FakeSource : public audio::Source {
 public:
  explicit FakeSource(bool ends) : ends_(ends) {}

  void Loud(Milliseconds length) { Fill(length, 0.5F); }
  void Quiet(Milliseconds length) { Fill(length, 0.001F); }
  void Fail(Errc code) {
    const MutexLock lock(mutex_);
    error_ = Error{code, "the file is damaged"};
    changed_.NotifyAll();
  }

  Result<> Open() override {
    const MutexLock lock(mutex_);
    ++opened_;
    open_ = true;
    return {};
  }
  void Close() override {
    const MutexLock lock(mutex_);
    open_ = false;
    changed_.NotifyAll();
  }
  Result<std::size_t> Read(std::span<float> into, Milliseconds wait) override {
    const MutexLock lock(mutex_);
    changed_.WaitFor(mutex_, wait, [this]() REQUIRES(mutex_) {
      return at_ < samples_.size() || error_ || !open_ || ends_;
    });
    const std::size_t count = std::min({into.size(), most_at_once, samples_.size() - at_});
    std::copy_n(samples_.begin() + static_cast<std::ptrdiff_t>(at_), count, into.begin());
    at_ += count;
    if (count == 0 && error_) return headroom::Fail(*error_);
    return count;
  }
  bool ended() const override {
    const MutexLock lock(mutex_);
    return open_ && ends_ && at_ == samples_.size();
  }
  audio::SourceReport report() const override {
    const MutexLock lock(mutex_);
    audio::SourceReport report;
    report.state = !open_ ? audio::SourceState::kClosed : audio::SourceState::kRunning;
    report.device = "fake";
    return report;
  }
  bool open() const {
    const MutexLock lock(mutex_);
    return open_;
  }
  int opened() const {
    const MutexLock lock(mutex_);
    return opened_;
  }

  std::size_t most_at_once = 16'000;

 private:
  void Fill(Milliseconds length, float level) {
    const MutexLock lock(mutex_);
    for (std::int64_t i = 0; i < length.count() * 16; ++i) {
      samples_.push_back(i % 2 == 0 ? level : -level);
    }
    changed_.NotifyAll();
  }
  const bool ends_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<float> samples_ GUARDED_BY(mutex_);
  std::size_t at_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> error_ GUARDED_BY(mutex_);
  bool open_ GUARDED_BY(mutex_) = false;
  int opened_ GUARDED_BY(mutex_) = 0;
};

class FakeUtteranceSink : public UtteranceSink {
 public:
  void SetListening(bool listening) override { Note(listening ? "listen" : "stop"); }
  Result<> Begin() override {
    Note("begin");
    if (fail_begin) return headroom::Fail(Errc::kNoSpace, "the spool is full");
    open = true;
    appended = 0;
    return {};
  }
  Result<> Append(std::span<const float> samples) override {
    EXPECT_TRUE(open);
    appended += samples.size();
    if (fail_append_after && appended > *fail_append_after) {
      return headroom::Fail(Errc::kNoSpace, "the spool is full");
    }
    return {};
  }
  bool WantsPartial(Milliseconds length) override {
    EXPECT_TRUE(open);
    EXPECT_GT(length, Milliseconds(0));
    ++asked;
    return wants_partials;
  }
  void Partial(audio::FiniteAudio so_far) override {
    EXPECT_TRUE(open);
    EXPECT_FALSE(so_far.empty());
    ++partials;
  }
  void Pause(audio::FiniteAudio whole) override {
    Note("pause");
    paused = std::move(whole);
  }
  void Resume() override { Note("resume"); }
  void Continues() override { Note("continues"); }
  Result<> End(audio::FiniteAudio samples, std::int64_t length, const speech::Evidence& evidence,
               Milliseconds silence) override {
    Note("end");
    EXPECT_LE(length, static_cast<std::int64_t>(appended));
    if (!samples.empty()) {
      EXPECT_EQ(length, static_cast<std::int64_t>(samples.size()));
    }
    open = false;
    ended.push_back(std::move(samples));
    kept.push_back(appended);
    last_evidence = evidence;
    last_silence = silence;
    return {};
  }
  void Drop() override {
    Note("drop");
    open = false;
  }

  bool Wait(const std::string& what) {
    const MutexLock lock(mutex);
    return noted.WaitFor(mutex, seconds(60),
                         [&]() REQUIRES(mutex) { return log.find(what) != std::string::npos; });
  }
  void Note(const std::string& what) {
    const MutexLock lock(mutex);
    log += what + " ";
    noted.NotifyAll();
  }
  std::string Log() {
    const MutexLock lock(mutex);
    return log;
  }

  Mutex mutex;
  CondVar noted;
  std::string log GUARDED_BY(mutex);
  bool open = false, fail_begin = false;
  std::optional<std::size_t> fail_append_after;
  std::size_t appended = 0;
  int asked = 0, partials = 0;
  bool wants_partials = true;
  audio::FiniteAudio paused;
  std::vector<audio::FiniteAudio> ended;
  std::vector<std::size_t> kept;  // that were appended
  speech::Evidence last_evidence;
  Milliseconds last_silence{};
};

struct Set {
  explicit Set(bool ends, DictationOptions with = {}) : options(with) {
    auto owned = std::make_unique<FakeSource>(ends);
    source = owned.get();
    pending = std::move(owned);
  }
  void Begin() {
    dictation = std::make_unique<Dictation>(
        options, std::move(pending), [this] { return std::make_unique<CountingVad>(pieces); }, sink,
        [this](const Event& event) {
          const MutexLock lock(mutex);
          events.push_back(event);
        });
    dictation->Listen();
  }
  bool Ended() const {
    return Eventually([this] { return dictation->source_ended(); });
  }
  /// As programs see them: net/control/event_json.h.
  int Count(const std::string& name) {
    const MutexLock lock(mutex);
    return static_cast<int>(std::count_if(
        events.begin(), events.end(), [&](const Event& event) { return NameOf(event) == name; }));
  }

  DictationOptions options;
  FakeSource* source;
  std::unique_ptr<audio::Source> pending;
  FakeUtteranceSink sink;
  Mutex mutex;
  std::vector<Event> events GUARDED_BY(mutex);
  std::vector<std::size_t> pieces;  // that the detector was given
  std::unique_ptr<Dictation> dictation;
};

TEST(Dictation, WhatIsHeardInSilenceIsLookedAtThreeFramesAtATime) {
  Set set(true);
  set.source->most_at_once = 320;  // 20 ms
  set.source->Quiet(seconds(1));
  set.source->Loud(seconds(1));
  set.source->Quiet(Milliseconds(1'990));
  set.Begin();
  ASSERT_TRUE(set.sink.Wait("stop"));
  set.dictation.reset();
  EXPECT_EQ(set.sink.Log(), "listen begin pause end stop ");
  EXPECT_EQ(set.pieces.front(), 1'600U);
  // Speech, once it is seen, and the 800 ms of silence that end it.
  EXPECT_NEAR(static_cast<double>(std::ranges::count(set.pieces, 320U)), 85, 7);
  std::size_t all = 0;
  for (const std::size_t piece : set.pieces) all += piece;
  EXPECT_EQ(all, 3'990U * 16);  // and what was held when the source ended
}

TEST(Dictation, TwoSentencesOfAFile) {
  Set set(true);
  set.source->Quiet(seconds(1));
  set.source->Loud(seconds(2));
  set.source->Quiet(seconds(2));
  set.source->Loud(seconds(1));
  set.Begin();
  ASSERT_TRUE(set.sink.Wait("stop"));
  EXPECT_TRUE(set.Ended());
  EXPECT_FALSE(set.source->open());
  set.dictation.reset();
  // The second one ends with the file, so no silence has to follow it.
  EXPECT_EQ(set.sink.Log(), "listen begin pause end begin end stop ");
  ASSERT_EQ(set.sink.ended.size(), 2U);
  EXPECT_NEAR(static_cast<double>(set.sink.ended[0].size()) / 16'000, 2.0 + 0.5 + 0.32, 0.1);
  EXPECT_EQ(set.sink.ended[0], set.sink.paused);  // so its early text can be taken
  EXPECT_GE(set.sink.kept[0], set.sink.ended[0].size());
  EXPECT_GT(set.sink.partials, 0);
}

TEST(Dictation, WithoutNeedOfAPartialItsAudioIsNotCopied) {
  Set set(true);
  set.sink.wants_partials = false;
  set.source->Loud(seconds(2));
  set.Begin();
  ASSERT_TRUE(set.sink.Wait("stop"));
  set.dictation.reset();
  EXPECT_GT(set.sink.asked, 0);
  EXPECT_EQ(set.sink.partials, 0);
}

TEST(Dictation, AllOfAnUtteranceIsInTheSpoolWhenItEnds) {
  Set set(true);
  set.source->Loud(Milliseconds(1'234));
  set.Begin();
  ASSERT_TRUE(set.sink.Wait("stop"));
  set.dictation.reset();
  ASSERT_EQ(set.sink.kept.size(), 1U);
  EXPECT_EQ(set.sink.kept[0], set.sink.ended[0].size());
}

TEST(Dictation, SpeechWithoutAPauseIsCutAndTheNextPieceBeginsBeforeTheCut) {
  DictationOptions options;
  options.segmenter.endpoint.longest = seconds(4);
  options.segmenter.endpoint.overlap = Milliseconds(960);  // whole frames
  Set set(true, options);
  set.source->Loud(seconds(6));
  set.Begin();
  ASSERT_TRUE(set.sink.Wait("stop"));
  set.dictation.reset();
  EXPECT_EQ(set.sink.Log(), "listen begin continues end begin end stop ");
  ASSERT_EQ(set.sink.ended.size(), 2U);
  EXPECT_EQ(set.sink.ended[0].size() + set.sink.ended[1].size(), (6'000U + 960U) * 16U);
}

TEST(Dictation, FinishEndsWhatIsOpenAndClosesTheMicrophone) {
  Set set(false);
  set.source->Loud(seconds(1));
  set.Begin();
  ASSERT_TRUE(set.sink.Wait("begin"));
  EXPECT_TRUE(set.source->open());
  set.dictation->Finish();
  ASSERT_TRUE(set.sink.Wait("stop"));
  EXPECT_FALSE(set.source->open());
  set.dictation.reset();
  EXPECT_EQ(set.sink.Log(), "listen begin end stop ");
}

TEST(Dictation, CancelDropsWhatIsOpen) {
  Set set(false);
  set.source->Loud(seconds(1));
  set.Begin();
  ASSERT_TRUE(set.sink.Wait("begin"));
  set.dictation->Cancel();
  ASSERT_TRUE(set.sink.Wait("stop"));
  EXPECT_FALSE(set.dictation->wanted());
  set.dictation.reset();
  EXPECT_EQ(set.sink.Log(), "listen begin drop stop ");
}

TEST(Dictation, ListensAgain) {
  Set set(false);
  set.Begin();
  ASSERT_TRUE(set.sink.Wait("listen"));
  set.dictation->Finish();
  ASSERT_TRUE(set.sink.Wait("stop"));
  set.dictation->Listen();
  ASSERT_TRUE(set.sink.Wait("stop listen"));
  set.source->Loud(seconds(1));
  EXPECT_TRUE(set.sink.Wait("begin"));
  EXPECT_EQ(set.source->opened(), 2);
}

TEST(Dictation, AFullSpoolStopsListeningAndKeepsWhatThereIs) {
  Set set(false);
  set.sink.fail_append_after = 16'000;
  set.source->Loud(seconds(5));
  set.Begin();
  ASSERT_TRUE(set.sink.Wait("stop"));
  EXPECT_EQ(set.Count("trouble"), 1);
  EXPECT_FALSE(set.dictation->wanted());
  EXPECT_FALSE(set.source->open());
  set.dictation.reset();
  EXPECT_EQ(set.sink.Log(), "listen begin end stop ");
}

TEST(Dictation, ASpoolThatCannotBeginStopsListening) {
  Set set(false);
  set.sink.fail_begin = true;
  set.source->Loud(seconds(1));
  set.Begin();
  ASSERT_TRUE(set.sink.Wait("stop"));
  set.dictation.reset();
  EXPECT_EQ(set.sink.Log(), "listen begin stop ");
}

TEST(Dictation, AFileThatFailsEndsItsSentence) {
  Set set(true);
  set.source->Loud(seconds(1));
  set.source->Fail(Errc::kCorrupt);
  set.Begin();
  ASSERT_TRUE(set.sink.Wait("stop"));
  EXPECT_GE(set.Count("trouble"), 1);
  set.dictation.reset();
  EXPECT_EQ(set.sink.Log(), "listen begin end stop ");
}

TEST(Dictation, GivesUpWhenNothingIsSaid) {
  Set set(false, {.give_up = Milliseconds(50)});
  set.source->Quiet(seconds(1));
  set.Begin();
  EXPECT_TRUE(set.sink.Wait("stop"));
  EXPECT_FALSE(set.dictation->wanted());
}

TEST(Dictation, AMicrophoneThatIsLostEndsTheSentence) {
  Set set(false);
  set.source->Loud(seconds(1));
  set.Begin();
  ASSERT_TRUE(set.sink.Wait("end"));  // after a second and a half without samples
  EXPECT_TRUE(set.dictation->wanted());
  set.source->Loud(seconds(1));
  EXPECT_TRUE(set.sink.Wait("end begin"));
}

}  // namespace
}  // namespace headroom::app
