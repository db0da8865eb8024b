#include "app/serving/jobs.h"

#include <thread>
#include <utility>

#include "asr/client/file_transcription.h"
#include "audio/decode/media_reader.h"
#include "base/mutex.h"

namespace headroom::app {
namespace {

constexpr Milliseconds kAskAgain{250};  // when too much waits
// Whatever ended the worker need not have been this chunk.
constexpr asr::RetryPolicy kRetry{.tries = 3};

// One chunk at a time, so that other clients' utterances come between two of them.
class QueuedRecognizer : public asr::ChunkRecognizer {
 public:
  explicit QueuedRecognizer(asr::Scheduler& scheduler)
      : client_(scheduler.Connect(asr::Urgency::kFile,
                                  {.on_decoded =
                                       [this](asr::Decoded decoded) {
                                         const MutexLock lock(mutex_);
                                         decoded_ = std::move(decoded);
                                         came_.NotifyAll();
                                       }},
                                  kRetry)) {}

  Result<asr::RunResult> Recognize(const speech::RecognitionOptions& options,
                                   const audio::FiniteAudio& audio, CancelToken* cancel) override {
    asr::Utterance utterance;
    utterance.id = ++last_;
    utterance.options = options;
    utterance.audio = audio;
    MutexLock lock(mutex_);
    decoded_.reset();
    while (true) {
      if (cancel->raised()) return Fail(Errc::kCancelled, "cancelled");
      const auto submitted = client_->Submit(utterance);
      if (submitted) break;
      if (submitted.error().code != Errc::kBusy) return std::unexpected(submitted.error());
      came_.WaitFor(mutex_, kAskAgain);
    }
    // The token cannot notify; its holder does, by Wake.
    came_.Wait(mutex_, [&]() REQUIRES(mutex_) { return decoded_ || cancel->raised(); });
    if (!decoded_) {
      lock.Unlock();
      client_->Cancel(utterance.id);
      return Fail(Errc::kCancelled, "cancelled");
    }
    if (decoded_->result) model_ = decoded_->tier;
    return std::move(decoded_->result);
  }
  // Every tier has had its tries: half a text would be no answer.
  bool Recover(CancelToken*) override { return false; }
  Milliseconds longest() const override { return Milliseconds(0); }
  std::string model() const override { return model_; }

  void Wake() {
    const MutexLock lock(mutex_);
    came_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar came_;
  std::optional<asr::Decoded> decoded_ GUARDED_BY(mutex_);
  std::uint64_t last_ = 0;
  std::string model_;
  std::unique_ptr<asr::Scheduler::Client> client_;  // last: its events use the others
};

class SegmentWriter : public speech::TranscriptWriter {
 public:
  explicit SegmentWriter(const net::JobEvents& events) : events_(events) {}
  Result<> Begin(const speech::TranscriptHead&) override { return {}; }
  Result<> Add(const speech::Segment& segment) override {
    if (events_.on_segment) events_.on_segment(segment);
    return {};
  }
  Result<> End(const speech::TranscriptEnd& end) override {
    end_ = end;
    return {};
  }
  const speech::TranscriptEnd& end() const { return end_; }

 private:
  const net::JobEvents& events_;
  speech::TranscriptEnd end_;
};

class Job : public net::TranscriptionJob {
 public:
  Job(asr::Scheduler& scheduler, audio::WaitingDecoder& decoder, DetectorMaker make_detector,
      Fd recording, speech::RecognitionOptions options, net::JobEvents events)
      : decoder_(decoder),
        make_detector_(std::move(make_detector)),
        recording_(std::move(recording)),
        options_(std::move(options)),
        events_(std::move(events)),
        recognizer_(scheduler),
        thread_([this] {
          events_.on_end(Do());
          decoder_.Prepare();
        }) {}
  ~Job() override {
    cancel_.Raise();
    recognizer_.Wake();
    thread_.join();
  }

 private:
  Result<net::JobEvents::Outcome> Do() {
    TRY_ASSIGN(const auto detector, make_detector_());
    TRY_ASSIGN(const auto media,
               audio::MediaReader::Open(std::move(recording_), "the file", &cancel_, &decoder_));
    SegmentWriter writer(events_);
    const asr::FileJob job{.name = "", .options = options_, .on_progress = {}};
    TRY_ASSIGN(const asr::FileOutcome outcome,
               TranscribeFile(job, *media, *detector, recognizer_, writer, &cancel_));
    return net::JobEvents::Outcome{.language = writer.end().language,
                                   .duration = outcome.duration,
                                   .model = recognizer_.model(),
                                   .warnings = outcome.warnings};
  }

  CancelToken cancel_;
  audio::WaitingDecoder& decoder_;
  const DetectorMaker make_detector_;
  Fd recording_;
  const speech::RecognitionOptions options_;
  const net::JobEvents events_;
  QueuedRecognizer recognizer_;
  std::thread thread_;  // last
};

}  // namespace

Result<std::unique_ptr<net::TranscriptionJob>> StartJob(asr::Scheduler& scheduler,
                                                        audio::WaitingDecoder& decoder,
                                                        DetectorMaker make_detector, Fd recording,
                                                        speech::RecognitionOptions options,
                                                        net::JobEvents events) {
  try {
    return std::make_unique<Job>(scheduler, decoder, std::move(make_detector), std::move(recording),
                                 std::move(options), std::move(events));
  } catch (const std::system_error& error) {
    return Fail(Errc::kNoMemory, "no thread for a recording: {}", error.what());
  }
}

}  // namespace headroom::app
