// The loaded model for programs on the network: what src/api's servers ask of the daemon. Work is
// admitted by the memory there is, not by a fixed number; while memory is short new work is refused
// and what was begun goes on.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "app/dictation/utterance_pipeline.h"
#include "app/serving/metrics.h"
#include "app/serving/streams.h"
#include "audio/decode/waiting_decoder.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "net/server/speech_service.h"

namespace headroom::app {

/// What the service gives; any thread may call these.
struct ServingParts {
  std::function<asr::SchedulerStatus()> scheduler;
  std::function<PipelineStatus()> dictation;
  std::function<std::optional<std::string>(const std::string&)> inspect;  // as SpeechService's
  std::vector<net::ServedModel> models;                                   // of the tiers
  memory::Thresholds thresholds = {};
  std::function<std::string()> servers = {};  // Prometheus text of further servers; may be empty
  const Clock* clock = &SystemClock();
};

class Serving : public net::SpeechService {
 public:
  /// `scheduler` must outlive it.
  static Result<std::unique_ptr<Serving>> Make(ServingParts parts, StreamsOptions streams,
                                               asr::Scheduler& scheduler,
                                               DetectorMaker make_detector, EventSink publish);
  /// Every job and stream must be gone.
  ~Serving() override;

  Result<std::unique_ptr<net::TranscriptionJob>> Transcribe(Fd recording, net::SpeechRequest wanted,
                                                            net::JobEvents events) override;
  Result<std::unique_ptr<net::SpeechStream>> OpenStream(
      net::StreamOptions options, std::function<void(const net::StreamEvent&)> on_event) override;
  net::ServiceState State() const override;
  std::string Metrics() const override;
  std::optional<std::string> Inspect(const std::string& name) const override {
    return parts_.inspect(name);
  }

  /// What is begun is finished, and new work refused.
  void SetDraining(bool draining) { draining_ = draining; }
  bool draining() const { return draining_; }
  /// Recordings and streams in work.
  std::size_t begun() const { return jobs_ + streams_->open(); }
  /// Dictation's own, for the metrics.
  void Count(const Event& event);
  /// Every few seconds.
  void Expire();

 private:
  class Counted;
  Serving(ServingParts parts, asr::Scheduler& scheduler, DetectorMaker make_detector,
          EventSink publish);
  /// kBusy, with the reason, while nothing more is to be begun.
  Result<> Admit() const;
  /// What the last sample of memory has not seen yet of those that were begun.
  Bytes Coming() const;
  Result<speech::RecognitionOptions> RequestFor(const net::SpeechRequest& wanted) const;
  Result<std::unique_ptr<net::TranscriptionJob>> BeginJob(Fd recording,
                                                          const net::SpeechRequest& wanted,
                                                          net::JobEvents events, MonoTime began);
  /// What became of a recording, also of one that was refused.
  void CountFile(const Result<net::JobEvents::Outcome>& outcome, MonoTime began);
  void OfStream(const Event& event);

  const ServingParts parts_;
  asr::Scheduler& scheduler_;
  const DetectorMaker make_detector_;
  const EventSink publish_;
  const MonoTime began_;
  std::atomic<bool> draining_{false};
  std::atomic<std::size_t> jobs_{0};
  struct Seen {
    MonoTime at;
    std::size_t jobs = 0, streams = 0;
  };
  mutable Mutex seen_mutex_;
  /// The first is as long ago as a sample is old at most.
  std::deque<Seen> seen_ GUARDED_BY(seen_mutex_);
  Tally tally_;
  Histogram dictation_latency_, stream_latency_;
  std::unique_ptr<Streams> streams_;
  audio::WaitingDecoder decoder_;
};

}  // namespace headroom::app
