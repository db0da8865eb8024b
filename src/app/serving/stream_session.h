// One client's stream, with or without the client: its segmenter, spool, pipeline and
// unacknowledged results.
#pragma once

#include <atomic>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "app/dictation/segmenter.h"
#include "app/dictation/sequencer.h"
#include "app/dictation/utterance_pipeline.h"
#include "app/serving/jobs.h"
#include "app/serving/unacked_results.h"
#include "audio/format/format.h"
#include "base/mutex.h"
#include "net/server/speech_service.h"

namespace headroom::app {

/// kInvalid, naming the field, when the times make no sense.
Result<speech::EndpointOptions> EndpointFor(const net::TurnDetection& turns);

/// What a client wants, as the session understands it.
struct StreamConfig {
  speech::RecognitionOptions request;
  std::optional<speech::EndpointOptions> turns;  // nullopt: the client commits
  bool partials = true;
};

/// Any thread unless said otherwise. Has a thread that listens; the pipeline has one that delivers.
/// Events come one at a time, with no lock held.
class StreamSession : private DeliverySink {
 public:
  using OnEvent = std::function<void(const net::StreamEvent&)>;

  /// In `folder`, which has the spool and the texts of an earlier run or is empty.
  static Result<std::shared_ptr<StreamSession>> Make(const std::filesystem::path& folder,
                                                     Bytes spool, asr::Scheduler& scheduler,
                                                     DetectorMaker make_detector, EventSink publish,
                                                     const Clock& clock);
  ~StreamSession() override;  // the files stay

  /// A client takes it up, in place of any before: what it has not got comes first. Gives what the
  /// client says it is by.
  std::uint64_t Attach(StreamConfig config, std::uint64_t have, OnEvent on_event);
  /// No event comes to it any more; what is open is complete. Ignored when another has taken over.
  void Detach(std::uint64_t client);
  bool attached() const;
  MonoTime left_at() const;  // when the last client went
  /// Nothing is in it that a client could come back for: all that was heard became text, and the
  /// client has it.
  bool spent() const;  // at once when nothing was ever heard in it

  Result<> Append(std::span<const float> samples);
  Result<> Commit();
  void Clear();
  void Configure(StreamConfig config);
  void Acknowledge(std::uint64_t item);
  void Finish(std::uint64_t client, std::function<void()> on_idle);

 private:
  enum class What { kSamples, kCommit, kClear, kConfigure, kFinish, kLeave };
  struct Order {
    What what = What::kSamples;
    std::vector<float> samples = {};
    StreamConfig config = {};
    std::uint64_t client = 0;
    std::function<void()> on_idle = {};
  };

  // An event, or on_idle, for that client.
  struct Out {
    std::uint64_t client = 0;
    net::StreamEvent event = {};
    std::function<void()> on_idle = {};
  };

  StreamSession(DetectorMaker make_detector, EventSink publish, UnackedResults unacked,
                ResultFile file, const Clock& clock)
      : make_detector_(std::move(make_detector)),
        publish_(std::move(publish)),
        clock_(clock),
        unacked_(std::move(unacked)),
        file_(std::move(file)) {}

  // What the pipeline calls.
  std::string Compose(const FinalText& final_text) override { return final_text.text; }
  Result<> Deliver(const FinalText& final_text, const std::string& composed) override;
  bool Remember(const FinalText&, const std::string&, const Result<>&,
                std::optional<Milliseconds>) override {
    return true;  // it is among the unacknowledged results
  }
  void InPipeline(const Event& event);
  void Keep(UnackedResult result);
  void Emit(net::StreamEvent event);
  void HandOver(const Out& out);
  void Warn(const Error& error);
  Milliseconds begin() const { return audio::DurationOf(begin_.load()); }

  bool Give(Order order);
  void Loop();
  void Do(Order& order);
  void Hear(audio::FiniteSpan samples);
  void Gather(audio::FiniteSpan more);
  void AppendGathered();
  bool EndOpen();
  void DropOpen();
  void Apply(StreamConfig config);
  bool PrepareDetector();

  const DetectorMaker make_detector_;
  const EventSink publish_;
  const Clock& clock_;
  Sequencer<Out> out_{[this](const Out& out) { HandOver(out); }};

  mutable Mutex client_mutex_;  // taken after any other, none after it
  std::shared_ptr<const OnEvent> on_event_ GUARDED_BY(client_mutex_);  // null: no client
  std::uint64_t client_ GUARDED_BY(client_mutex_) = 0;
  MonoTime left_at_ GUARDED_BY(client_mutex_){};
  UnackedResults unacked_ GUARDED_BY(client_mutex_);
  ResultFile file_;  // of the pipeline's delivery thread
  std::atomic<bool> silent_{true};

  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Order> orders_ GUARDED_BY(mutex_);
  std::size_t queued_ GUARDED_BY(mutex_) = 0;  // samples in them and in the one being done
  int queued_commits_ GUARDED_BY(mutex_) = 0;  // likewise
  std::size_t uncommitted_ GUARDED_BY(mutex_) = 0;
  bool doing_ GUARDED_BY(mutex_) = false;  // an order
  bool end_ GUARDED_BY(mutex_) = false;

  // The thread's own.
  StreamConfig config_;
  std::unique_ptr<speech::SpeechProbability> detector_;
  std::optional<Segmenter> segmenter_;
  std::vector<float> gathered_;  // the open item, when the client commits
  bool gathering_ = false;
  std::size_t appended_ = 0;  // of it, to the spool
  std::size_t offered_ = 0;   // of it, for a partial
  AppendPace pace_{clock_};
  std::atomic<std::int64_t> begin_{0};  // of the open item, in samples of the stream
  std::int64_t heard_ = 0;              // samples
  std::int64_t detector_began_ = 0;     // where the detector's count begins

  std::unique_ptr<UtterancePipeline> pipeline_;
  std::thread thread_;
};

}  // namespace headroom::app
