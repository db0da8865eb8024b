#include "asr/scheduler/worker_runner.h"

#include <atomic>
#include <deque>
#include <thread>
#include <variant>

#include "asr/client/worker.h"
#include "base/mutex.h"

namespace headroom::asr {
namespace {

constexpr Milliseconds kStatsWithin{1'000};
constexpr Milliseconds kStopWithin{200};

struct RunRequest {
  RecognitionOptions options;
  std::vector<Clip> clips;
  Milliseconds within;
};

class WorkerRunner : public Runner {
 public:
  WorkerRunner(WorkerOptions options, std::optional<FileLock> lock, std::function<void()> wake)
      : options_(std::move(options)), lock_(std::move(lock)), wake_(std::move(wake)) {
    thread_ = std::thread([this] { Loop(); });
  }
  ~WorkerRunner() override {
    End();
    thread_.join();
  }

  void Load(const LoadRequest& request) override { Give(request); }
  void Run(const RecognitionOptions& options, std::vector<Clip> clips,
           Milliseconds within) override {
    Give(RunRequest{options, std::move(clips), within});
  }
  void Cancel() override {
    const MutexLock lock(mutex_);
    if (cancel_) cancel_->Raise();
  }
  void End() override {
    const MutexLock lock(mutex_);
    end_ = true;
    if (cancel_) cancel_->Raise();
    asked_.NotifyOne();
  }
  std::optional<RunnerEvent> Take() override {
    const MutexLock lock(mutex_);
    if (events_.empty()) return std::nullopt;
    RunnerEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  pid_t pid() const override { return pid_; }

 private:
  using AnyRequest = std::variant<LoadRequest, RunRequest>;

  void Give(AnyRequest request) {
    const MutexLock lock(mutex_);
    cancel_ = std::make_shared<CancelToken>();
    request_ = std::move(request);
    asked_.NotifyOne();
  }

  void Put(RunnerEvent event) {
    {
      const MutexLock lock(mutex_);
      events_.push_back(std::move(event));
    }
    wake_();
  }

  void Loop() {
    while (true) {
      std::optional<AnyRequest> request;
      std::shared_ptr<CancelToken> cancel;
      {
        const MutexLock lock(mutex_);
        asked_.Wait(mutex_, [this]() REQUIRES(mutex_) { return end_ || request_; });
        if (end_) break;
        request = std::exchange(request_, std::nullopt);
        cancel = cancel_;
      }
      RunnerEvent event = std::visit([&](const auto& one) { return Do(one, *cancel); }, *request);
      {
        const MutexLock lock(mutex_);
        cancel_.reset();
        if (end_) break;
      }
      Put(std::move(event));
    }
    if (worker_) (void)worker_->Stop(kStopWithin);
    worker_.reset();
    pid_ = -1;
    lock_.reset();
    Put({.what = RunnerEvent::What::kEnded});
  }

  RunnerEvent Do(const LoadRequest& request, CancelToken& cancel) {
    RunnerEvent event{.what = RunnerEvent::What::kLoaded};
    const MonoTime begin = SystemClock().Now();
    event.loaded = LoadNow(request, cancel);
    Finish(event, begin);
    return event;
  }

  Result<ModelTraits> LoadNow(const LoadRequest& request, CancelToken& cancel) {
    TRY_ASSIGN(worker_, Worker::Spawn(options_));
    pid_ = worker_->pid();
    return worker_->Load(request, LoadDeadline(request.path), &cancel);
  }

  RunnerEvent Do(const RunRequest& request, CancelToken& cancel) {
    RunnerEvent event{.what = RunnerEvent::What::kRan};
    const MonoTime begin = SystemClock().Now();
    event.ran = RunNow(request, cancel);
    Finish(event, begin);
    return event;
  }

  Result<BatchResult> RunNow(const RunRequest& request, CancelToken& cancel) {
    if (!worker_) return Fail(Errc::kWorkerLost, "there is no worker");
    std::vector<std::span<const float>> clips;
    for (const Clip& clip : request.clips) clips.push_back(clip.samples());
    if (clips.size() > 1) return worker_->RunBatch(request.options, clips, request.within, &cancel);
    BatchResult one;
    TRY_ASSIGN(one.emplace_back(),
               worker_->Run(request.options, clips.front(), request.within, &cancel));
    return one;
  }

  void Finish(RunnerEvent& event, MonoTime begin) {
    event.took = std::chrono::duration_cast<Milliseconds>(SystemClock().Now() - begin);
    event.alive = worker_ && worker_->alive();
    if (!event.alive) return;
    if (const auto stats = worker_->Stats(kStatsWithin)) event.stats = *stats;
    event.alive = worker_->alive();
  }

  const WorkerOptions options_;
  std::optional<FileLock> lock_;  // the thread's, as is worker_
  std::unique_ptr<Worker> worker_;
  const std::function<void()> wake_;
  std::atomic<pid_t> pid_{-1};

  Mutex mutex_;
  CondVar asked_;
  std::optional<AnyRequest> request_ GUARDED_BY(mutex_);
  std::shared_ptr<CancelToken> cancel_ GUARDED_BY(mutex_);  // of the request there is
  std::deque<RunnerEvent> events_ GUARDED_BY(mutex_);
  bool end_ GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Runner>> WorkerRunnerMaker::Make(const Tier& tier,
                                                        std::function<void()> wake) {
  std::optional<FileLock> lock;
  if (tier.on_gpu()) {
    TRY_ASSIGN(lock, TryDeviceLock(tier.device, options_.locks));
  }
  return std::make_unique<WorkerRunner>(
      WorkerOptions{.program = tier.worker, .start_within = options_.start_within}, std::move(lock),
      std::move(wake));
}

bool WorkerRunnerMaker::Free(const Tier& tier) {
  return !tier.on_gpu() || TryDeviceLock(tier.device, options_.locks).has_value();
}

}  // namespace headroom::asr
