// From speech to text that has arrived: every utterance goes through the spool, is decoded, and is
// delivered in the order in which it was spoken, whatever fails on the way.
//
// An utterance that every tier has failed is tried again (asr::RetryPolicy); the texts after it
// wait. When its tries are used up it is passed over: it stays in the spool until the next start,
// and an event says so. What an earlier run of the service left behind comes first.
//
// An utterance that was cut inside speech waits for the next one, which begins in it, so that their
// texts can be joined at a word that both have (speech/stitch.h).
//
// UtteranceSink is called by the thread that listens; delivery has a thread of its own. Events come
// one at a time, in order, from the thread of any of both or the scheduler's, with no lock held;
// those of Begin, End and Drop before these return.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <thread>

#include "app/dictation/delivery_sink.h"
#include "app/dictation/dictation.h"
#include "app/dictation/events.h"
#include "app/dictation/sequencer.h"
#include "asr/scheduler/scheduler.h"
#include "base/mutex.h"
#include "speech/spool/spool.h"
#include "speech/text/agreement.h"

namespace headroom::app {

struct PipelineOptions {
  speech::RecognitionOptions request;  // of every utterance; its language may be ""
  std::size_t most_submitted = 8;
  std::uint64_t session = 0;  // of this run of the service; kept with each utterance
  asr::RetryPolicy retry{.tries = 3, .after = Milliseconds(15'000)};
};

struct PipelineCounts {
  std::int64_t begun = 0, delivered = 0, empty = 0, hallucinations = 0, passed_over = 0,
               recovered = 0;
};

struct PipelineStatus {
  std::size_t waiting = 0;  // utterances that were spoken and have not arrived
  Milliseconds queue{};     // of speech in them
  Milliseconds room{};      // for speech in the spool
  bool spooled = true;      // false: there is no spool, speech is in memory only
  PipelineCounts counts;
  std::optional<Milliseconds> last_latency;  // from the last spoken sample to the delivered text
};

class UtterancePipeline : public UtteranceSink {
 public:
  /// `spool` may be null: speech is then in memory only. `delivery_sink` must outlive this.
  UtterancePipeline(PipelineOptions options, std::unique_ptr<speech::Spool> spool,
                    DeliverySink& delivery_sink, EventSink events,
                    const Clock& clock = SystemClock());
  ~UtterancePipeline() override;  // what is not delivered stays in the spool

  /// Before anything else. Utterances of an earlier run are taken up.
  void Start(asr::Scheduler& scheduler, asr::Urgency urgency);
  /// Nothing more is submitted; the scheduler may be destroyed. Waits for a delivery that is going
  /// on.
  void Stop();

  void SetListening(bool listening) override;
  Result<> Begin() override;
  Result<> Append(std::span<const float> samples) override;
  bool WantsPartial(Milliseconds length) override;
  void Partial(audio::FiniteAudio so_far) override;
  void Pause(audio::FiniteAudio whole) override;
  void Resume() override;
  void Continues() override;
  Result<> End(audio::FiniteAudio whole, std::int64_t length, const speech::Evidence& evidence,
               Milliseconds silence) override;
  void Drop() override;

  /// Forgets what was spoken and is not being delivered yet.
  void CancelWaiting();
  /// For utterances that begin from now on.
  void SetRequest(speech::RecognitionOptions request);
  PipelineStatus status() const;
  /// True once nothing waits; false after `wait`.
  bool WaitUntilEmpty(Milliseconds wait);

 private:
  static constexpr std::size_t kUnsureWords = 2;  // at the end of what is said so far

  enum class Step { kOpen, kWaiting, kSubmitted, kDecoded, kFailed, kDropped };
  struct Sentence {
    std::uint64_t id = 0;
    Step step = Step::kOpen;
    speech::RecognitionOptions request;
    audio::FiniteAudio audio;  // empty: in the spool only
    Milliseconds length{};
    std::optional<speech::Evidence> evidence;  // nullopt: of an earlier run
    asr::Ticket partial = 0, early = 0;
    speech::Agreement agreement{kUnsureWords};
    MonoTime spoken_at{}, endpoint_at{};
    std::optional<asr::RunResult> result;
    std::string tier;
    Error error;  // of the last try
    Milliseconds took{};
    bool adopted = false;
    bool continues = false;  // the next one begins in it, and has its last words too
    bool stitched = false;   // it has been freed of words that its neighbour has
    bool recovered = false;  // of an earlier run: when it was spoken is not known to this clock
    bool repeated = false;   // its delivery had begun when an earlier run ended
    WallTime began{};
  };

  // The first one, whose turn it is to be delivered.
  struct Head {
    FinalText text;
    MonoTime spoken_at{};
    Error error;  // it failed
    bool failed = false, hallucination = false, adopted = false, recovered = false;
  };
  enum class Task { kEnd, kSettle, kRead, kFeed };

  // Holds mutex_ for its scope; what was pushed to events_ meanwhile is handed over after that.
  class HEADROOM_ATTRIBUTE(scoped_lockable) Section {
   public:
    explicit Section(UtterancePipeline& of) ACQUIRE(of.mutex_) : of_(of) { of_.mutex_.Lock(); }
    ~Section() RELEASE() {
      of_.mutex_.Unlock();
      of_.events_.Run();
    }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

   private:
    UtterancePipeline& of_;
  };

  void OnDecoded(asr::Decoded decoded);
  void OnRetried(const asr::Retried& retried);
  void OnSpeculated(asr::Speculated speculated);
  void Recover();
  void TakeUp(speech::Pending pending) REQUIRES(mutex_);
  Sentence* Find(std::uint64_t id) REQUIRES(mutex_);
  Sentence* Open() REQUIRES(mutex_);
  void Close(audio::FiniteAudio whole, std::int64_t length, const speech::Evidence& evidence,
             Milliseconds silence);
  void Speculate(Sentence& sentence, audio::FiniteAudio audio, bool early) REQUIRES(mutex_);
  void Feed() REQUIRES(mutex_);
  void PassOver(Sentence& sentence, const Error& error) REQUIRES(mutex_);
  void PushFailure(const Sentence& sentence, const Error& error, bool again) REQUIRES(mutex_);
  void Loop();
  Task NextTask();
  void ReadAudio();
  void Settle();
  bool DropHead();
  Head TakeHead();
  void Spooled(const char* doing, const Result<>& result);
  void NoteRoom();
  Sentence* Unread() REQUIRES(mutex_);
  std::optional<Milliseconds> NextLook() const REQUIRES(mutex_);
  bool HeadSettled() REQUIRES(mutex_);
  MonoTime ContinuedBy(const Sentence& sentence) const;

  const PipelineOptions options_;
  DeliverySink& delivery_sink_;
  const Clock& clock_;
  Sequencer<Event> events_;

  const std::unique_ptr<speech::Spool> spool_;  // locks itself, for as long as the disk takes
  std::atomic<Milliseconds> room_{};            // in it, after the last use of it

  mutable Mutex mutex_;
  CondVar changed_;
  std::unique_ptr<asr::Scheduler::Client> client_ GUARDED_BY(mutex_);
  speech::RecognitionOptions request_ GUARDED_BY(mutex_);
  std::deque<std::unique_ptr<Sentence>> sentences_ GUARDED_BY(mutex_);  // by id
  std::size_t submitted_ GUARDED_BY(mutex_) = 0;
  bool refused_ GUARDED_BY(mutex_) = false;       // the scheduler had no room for the next one
  std::uint64_t next_id_ GUARDED_BY(mutex_) = 1;  // without a spool
  MonoTime partial_began_ GUARDED_BY(mutex_){};
  Milliseconds partial_took_ GUARDED_BY(mutex_){};  // about
  PipelineCounts counts_ GUARDED_BY(mutex_);
  std::optional<Milliseconds> last_latency_ GUARDED_BY(mutex_);
  bool delivering_ GUARDED_BY(mutex_) = false;  // the first of them
  bool end_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace headroom::app
