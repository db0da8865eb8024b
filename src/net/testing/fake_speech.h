// A SpeechService that remembers what it was asked and plays a script, on threads of its
// own as the real one does.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <thread>

#include "base/mutex.h"
#include "net/server/speech_service.h"

namespace headroom::net {

class FakeSpeech : public SpeechService {
 public:
  /// What the next recordings give.
  struct Script {
    std::vector<speech::Segment> segments;
    JobEvents::Outcome outcome;
    std::optional<Error> error;  // in place of the outcome, after the segments
    Milliseconds delay{0};       // before each segment and before the end
  };
  struct Asked {
    SpeechRequest request;
    std::int64_t size = 0;  // of the recording
    mode_t mode = 0;        // of its file
  };
  /// The calls of a stream. Kept after the stream is gone.
  struct StreamLog {
    StreamOptions options;
    std::vector<float> samples;
    int commits = 0, clears = 0;
    std::vector<StreamOptions> configured;
    std::vector<std::uint64_t> acknowledged;
    bool finished = false, forgotten = false, closed = false;
    std::uint64_t items = 0;  // with commit_text: the last
  };

  FakeSpeech() {
    script.segments = {{Milliseconds(0),
                        Milliseconds(1500),
                        "Guten Tag.",
                        {{Milliseconds(0), Milliseconds(700), "Guten"},
                         {Milliseconds(700), Milliseconds(1500), "Tag."}}},
                       {Milliseconds(1500),
                        Milliseconds(4000),
                        "How are you?",
                        {{Milliseconds(1500), Milliseconds(2000), "How"},
                         {Milliseconds(2000), Milliseconds(2500), "are"},
                         {Milliseconds(2500), Milliseconds(4000), "you?"}}}};
    script.outcome = {"de", Milliseconds(4000), "whisper-base:Q8_0 on cpu", {}};
    state.ready = true;
    state.models = {{"whisper-base", {"de", "en"}, true}, {"parakeet", {"en"}, false}};
    thread_ = std::thread([this] { Deliver(); });
  }
  ~FakeSpeech() override {
    {
      const MutexLock guard(mutex_);
      ending_ = true;
    }
    changed_.NotifyAll();
    thread_.join();
  }

  // ---- for the servers ----

  Result<std::unique_ptr<TranscriptionJob>> Transcribe(Fd recording, SpeechRequest request,
                                                       JobEvents events) override {
    struct stat file{};
    ::fstat(recording.get(), &file);
    const MutexLock guard(mutex_);
    if (refuse_recordings) return Fail(*refuse_recordings);
    asked_.push_back({request, static_cast<std::int64_t>(file.st_size), file.st_mode & 0777U});
    return std::make_unique<Job>(*this, script, std::move(events));
  }

  Result<std::unique_ptr<SpeechStream>> OpenStream(
      StreamOptions options, std::function<void(const StreamEvent&)> on_event) override {
    const MutexLock guard(mutex_);
    if (refuse_streams) return Fail(*refuse_streams);
    const std::string session =
        options.resume.empty() ? "session" + std::to_string(++sessions_) : options.resume;
    const auto known = logs_.find(session);
    if (!options.resume.empty() && (known == logs_.end() || !known->second.closed))
      return Fail(Errc::kNotFound, "there is no such session");
    StreamLog& log = logs_[session];
    log.options = options;
    log.closed = false;
    auto open = std::make_shared<Open>(session, std::move(on_event));
    open_[session] = open;
    changed_.NotifyAll();
    return std::make_unique<Stream>(*this, open);
  }

  ServiceState State() const override {
    const MutexLock guard(mutex_);
    return state;
  }
  std::string Metrics() const override {
    return "# TYPE headroom_zone gauge\nheadroom_zone{gauge=\"ram\"} 0\n";
  }
  std::optional<std::string> Inspect(const std::string& name) const override {
    if (name != "status" && name != "plan" && name != "models" && name != "history")
      return std::nullopt;
    return "{\"" + name + "\": true}";
  }

  // ---- for tests ----

  /// Change these under Change(), once a server runs.
  Script script;
  ServiceState state;
  std::optional<Error> refuse_recordings, refuse_streams;
  std::optional<Error> refuse_samples;       // Append's answer
  std::optional<std::string> commit_text{};  // Commit and Finish are answered with this text

  template <class What>
  void Change(What what) {
    const MutexLock guard(mutex_);
    what(*this);
  }
  std::vector<Asked> asked() const {
    const MutexLock guard(mutex_);
    return asked_;
  }
  std::size_t cancelled() const { return cancelled_; }  // jobs that were destroyed before their end
  std::size_t jobs() const { return jobs_; }            // now
  std::size_t streams() const {                         // now
    const MutexLock guard(mutex_);
    return open_.size();
  }
  /// Of the sessions "session1", "session2", … in the order of opening.
  StreamLog Log(const std::string& session) const {
    const MutexLock guard(mutex_);
    const auto found = logs_.find(session);
    return found == logs_.end() ? StreamLog{} : found->second;
  }
  /// The event reaches the stream's owner on the fake's thread; without an owner it is lost.
  void Push(const std::string& session, StreamEvent event) {
    {
      const MutexLock guard(mutex_);
      Queue(session, [event = std::move(event)](Open& to) { to.on_event(event); });
    }
    changed_.NotifyAll();
  }
  /// Waits until `what` holds for the log, or 20 s.
  template <class What>
  bool Await(const std::string& session, What what) {
    const MutexLock lock(mutex_);
    return changed_.WaitFor(mutex_, std::chrono::seconds(20), [&]() REQUIRES(mutex_) {
      const auto found = logs_.find(session);
      return found != logs_.end() && what(found->second);
    });
  }

 private:
  struct Open {
    Open(std::string name, std::function<void(const StreamEvent&)> to)
        : session(std::move(name)), on_event(std::move(to)) {}
    const std::string session;
    const std::function<void(const StreamEvent&)> on_event;
    Mutex mutex;  // held during an event
    bool closed GUARDED_BY(mutex) = false;
    std::size_t waiting = 0;  // samples since the last item; guarded by the fake's mutex
  };

  class Job : public TranscriptionJob {
   public:
    Job(FakeSpeech& fake, Script script, JobEvents events)
        : fake_(fake), thread_([this, script = std::move(script), events = std::move(events)] {
            Run(script, events);
          }) {
      ++fake_.jobs_;
    }
    ~Job() override {
      {
        const MutexLock guard(mutex_);
        if (!over_) ++fake_.cancelled_;
        stop_ = true;
      }
      woken_.NotifyAll();
      thread_.join();
      --fake_.jobs_;
    }

   private:
    bool Wait(Milliseconds delay) {
      const MutexLock lock(mutex_);
      return !woken_.WaitFor(mutex_, delay, [this]() REQUIRES(mutex_) { return stop_; });
    }
    void Run(const Script& script, const JobEvents& events) {
      for (const speech::Segment& segment : script.segments) {
        if (!Wait(script.delay)) return;
        if (events.on_segment) events.on_segment(segment);
      }
      if (!Wait(script.delay)) return;
      {
        const MutexLock guard(mutex_);
        over_ = true;
      }
      if (!events.on_end) return;
      if (script.error)
        events.on_end(Fail(*script.error));
      else
        events.on_end(script.outcome);
    }

    FakeSpeech& fake_;
    Mutex mutex_;
    CondVar woken_;
    bool stop_ GUARDED_BY(mutex_) = false, over_ GUARDED_BY(mutex_) = false;
    std::thread thread_;
  };

  class Stream : public SpeechStream {
   public:
    Stream(FakeSpeech& fake, std::shared_ptr<Open> open) : fake_(fake), open_(std::move(open)) {}
    ~Stream() override {
      {
        const MutexLock guard(open_->mutex);  // no event comes after this
        open_->closed = true;
      }
      With([this](StreamLog& log) REQUIRES(fake_.mutex_) {
        log.closed = true;
        fake_.open_.erase(open_->session);
        return true;
      });
    }
    const std::string& session() const override { return open_->session; }
    Result<> Append(std::span<const float> samples) override {
      std::optional<Error> refusal;
      With([&](StreamLog& log) REQUIRES(fake_.mutex_) {
        if ((refusal = fake_.refuse_samples)) return false;
        log.samples.insert(log.samples.end(), samples.begin(), samples.end());
        open_->waiting += samples.size();
        return true;
      });
      if (refusal) return Fail(*refusal);
      return {};
    }
    Result<> Commit() override {
      const bool done = With([this](StreamLog& log) REQUIRES(fake_.mutex_) {
        ++log.commits;
        return EndItem(log);
      });
      if (!done) return Fail(Errc::kInvalid, "there is no audio to commit");
      return {};
    }
    void Clear() override {
      With([this](StreamLog& log) REQUIRES(fake_.mutex_) {
        ++log.clears;
        open_->waiting = 0;
        return true;
      });
    }
    Result<> Configure(const StreamOptions& options) override {
      With([&](StreamLog& log) REQUIRES(fake_.mutex_) {
        log.configured.push_back(options);
        return true;
      });
      return {};
    }
    void Acknowledge(std::uint64_t item) override {
      With([&](StreamLog& log) REQUIRES(fake_.mutex_) {
        log.acknowledged.push_back(item);
        return true;
      });
    }
    void Finish(std::function<void()> on_idle) override {
      With([&](StreamLog& log) REQUIRES(fake_.mutex_) {
        log.finished = true;
        EndItem(log);
        fake_.Queue(open_->session, [on_idle](Open&) {
          if (on_idle) on_idle();
        });
        return true;
      });
    }
    void Forget() override {
      With([](StreamLog& log) { return log.forgotten = true; });
    }

   private:
    template <class What>
    bool With(What what) {
      bool result = false;
      {
        const MutexLock guard(fake_.mutex_);
        result = what(fake_.logs_[open_->session]);
      }
      fake_.changed_.NotifyAll();
      return result;
    }
    // False: nothing was said since the last.
    bool EndItem(StreamLog& log) REQUIRES(fake_.mutex_) {
      if (open_->waiting == 0) return false;
      const Milliseconds audio(open_->waiting / 16);
      open_->waiting = 0;
      if (!fake_.commit_text) return true;
      StreamEvent event;
      event.item = ++log.items;
      event.audio = audio;
      event.kind = StreamEvent::Kind::kCommitted;
      fake_.Queue(open_->session, [event](Open& to) { to.on_event(event); });
      event.kind = StreamEvent::Kind::kText;
      event.text = *fake_.commit_text;
      event.language = fake_.script.outcome.language;
      fake_.Queue(open_->session, [event](Open& to) { to.on_event(event); });
      return true;
    }

    FakeSpeech& fake_;
    std::shared_ptr<Open> open_;
  };

  void Queue(const std::string& session, std::function<void(Open&)> event) REQUIRES(mutex_) {
    const auto found = open_.find(session);
    if (found != open_.end()) events_.emplace_back(found->second, std::move(event));
  }
  void Deliver() {
    MutexLock lock(mutex_);
    for (;;) {
      changed_.Wait(mutex_, [this]() REQUIRES(mutex_) { return ending_ || !events_.empty(); });
      if (ending_) return;
      const auto [to, event] = std::move(events_.front());
      events_.pop_front();
      lock.Unlock();
      {
        const MutexLock guard(to->mutex);
        if (!to->closed) event(*to);
      }
      lock.Lock();
    }
  }

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Asked> asked_ GUARDED_BY(mutex_);
  std::map<std::string, StreamLog> logs_ GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Open>> open_ GUARDED_BY(mutex_);
  std::deque<std::pair<std::shared_ptr<Open>, std::function<void(Open&)>>> events_
      GUARDED_BY(mutex_);
  bool ending_ GUARDED_BY(mutex_) = false;
  int sessions_ GUARDED_BY(mutex_) = 0;
  std::atomic<std::size_t> cancelled_{0}, jobs_{0};
  std::thread thread_;
};

}  // namespace headroom::net
