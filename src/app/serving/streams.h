// Live streams of clients: each has a segmenter (voice activity or the client's own commits), a
// spool, a pipeline and unacknowledged results of its own, so that a lost connection, or a killed
// service, loses nothing that was acknowledged. docs/serving.md.
//
// A session whose client is gone is kept for a minute and can be taken up again by its name, also
// after the service was restarted; then it is deleted with everything in it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "app/dictation/events.h"
#include "app/serving/jobs.h"
#include "app/serving/stream_session.h"
#include "asr/scheduler/scheduler.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "net/server/speech_service.h"

namespace headroom::app {

struct StreamsOptions {
  std::filesystem::path folder;  // of sessions; made with mode 0700
  Milliseconds keep{60'000};     // a session without its client
  Bytes spool = MiB(4);          // of each: two minutes of speech on its way to text
  std::size_t most = 256;        // sessions, also those without a client
};

class Streams {
 public:
  /// What a client asks for, as the engine is asked for it; an error is the client's.
  using RequestMaker = std::function<Result<speech::RecognitionOptions>(const net::SpeechRequest&)>;

  /// Sessions of an earlier run are there until their minute is over.
  static Result<std::unique_ptr<Streams>> Make(StreamsOptions options, asr::Scheduler& scheduler,
                                               DetectorMaker make_detector, RequestMaker request,
                                               EventSink publish,
                                               const Clock& clock = SystemClock());
  ~Streams();  // all streams must be gone; the sessions stay on disk

  /// A session that is taken up again is taken from a client that still seems to have it. When
  /// there are too many, one whose client went and has all of its text makes room.
  Result<std::unique_ptr<net::SpeechStream>> Open(
      const net::StreamOptions& options, std::function<void(const net::StreamEvent&)> on_event);
  /// Ends the sessions whose minute is over. Call it every few seconds, one thread at a time.
  void Expire();
  std::size_t open() const;  // with a client

 private:
  class Handle;
  class Ended;
  Streams(StreamsOptions options, asr::Scheduler& scheduler, DetectorMaker make_detector,
          RequestMaker request, EventSink publish, const Clock& clock)
      : options_(std::move(options)),
        scheduler_(scheduler),
        make_detector_(std::move(make_detector)),
        make_request_(std::move(request)),
        publish_(std::move(publish)),
        clock_(clock) {}
  Result<StreamConfig> ConfigFor(const net::StreamOptions& options) const;
  Result<std::shared_ptr<StreamSession>> MakeSession(const std::string& name);
  /// Makes sure that no other thread opens, expires or replaces it until Release; gives the
  /// session where it is open already.
  Result<std::shared_ptr<StreamSession>> Claim(const std::string& name, bool resume, Ended& over);
  void Release(const std::string& name, std::shared_ptr<StreamSession> session);
  bool TakeOutSpent(Ended& into) REQUIRES(mutex_);
  void Forget(const std::string& name);

  const StreamsOptions options_;
  asr::Scheduler& scheduler_;
  const DetectorMaker make_detector_;
  const RequestMaker make_request_;
  const EventSink publish_;
  const Clock& clock_;

  mutable Mutex mutex_;
  CondVar released_;
  std::map<std::string, std::shared_ptr<StreamSession>> sessions_ GUARDED_BY(mutex_);
  std::set<std::string> claimed_ GUARDED_BY(mutex_);  // being opened or taken up again
  std::set<std::string> forgotten_ GUARDED_BY(mutex_);
  std::map<std::string, MonoTime> left_
      GUARDED_BY(mutex_);  // of an earlier run, with the time they were found
};

}  // namespace headroom::app
