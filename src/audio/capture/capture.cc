#include "audio/capture/capture.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "audio/format/finite.h"
#include "base/check.h"
#include "base/clock.h"

namespace headroom::audio {
namespace {

Fd MakeEvent() {
  Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  CHECK(event);
  return event;
}

void Signal(int event) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = ::write(event, &one, sizeof one);
}

void Drain(int event) {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t ignored = ::read(event, &count, sizeof count);
}

/// Waits until one of the two is readable or the time is over.
void WaitFor(int first, int second, Milliseconds time) {
  pollfd waits[] = {{first, POLLIN, 0}, {second, POLLIN, 0}};
  const auto timeout = std::clamp<std::int64_t>(time.count(), -1, 1 << 30);
  ::poll(waits, 2, static_cast<int>(timeout));
}

}  // namespace

Capture::Capture(std::size_t buffer_samples)
    : ring_(buffer_samples), filled_(MakeEvent()), emptied_(MakeEvent()) {}

void Capture::WakeReader() {
  Signal(filled_.get());
}

void Capture::Put(std::span<const float> samples) {
  ring_.Push(samples);
  WakeReader();
}

void Capture::PutMissing(std::size_t count) {
  ring_.PushSilence(count);
  missing_.fetch_add(static_cast<std::int64_t>(count), std::memory_order_relaxed);
  WakeReader();
}

template <class PushSome>
bool Capture::PutWaiting(std::size_t count, PushSome push) {
  std::size_t done = 0;
  while (done < count) {
    if (stop_.raised()) return false;
    const std::size_t now = std::min(count - done, ring_.room());
    if (now > 0) {
      push(done, now);
      done += now;
      WakeReader();
      continue;
    }
    wants_room_.store(true);
    // Checks again: the reader may have made room before it saw the request.
    if (ring_.room() == 0) WaitFor(emptied_.get(), stop_.fd(), Milliseconds(-1));
    Drain(emptied_.get());
  }
  return !stop_.raised();
}

bool Capture::PutAll(std::span<const float> samples) {
  return PutWaiting(samples.size(), [&](std::size_t from, std::size_t count) {
    ring_.Push(samples.subspan(from, count));
  });
}

bool Capture::PutAllSilence(std::size_t count) {
  return PutWaiting(count, [&](std::size_t, std::size_t some) { ring_.PushSilence(some); });
}

bool Capture::SleepFor(Milliseconds time) {
  if (time > Milliseconds(0)) WaitFor(stop_.fd(), -1, time);
  return !stop_.raised();
}

void Capture::Say(SourceState state, std::string device, std::string problem) {
  const MutexLock lock(mutex_);
  state_ = state;
  device_ = std::move(device);
  problem_ = std::move(problem);
}

Result<std::size_t> Capture::Read(std::span<float> into, Milliseconds wait) {
  const MonoTime until = SystemClock().Now() + wait;
  std::size_t count = ring_.Pop(into);
  // The samples of this wake-up may have been read already.
  while (count == 0 && !finished_.load(std::memory_order_acquire)) {
    const auto left = std::chrono::ceil<Milliseconds>(until - SystemClock().Now());
    WaitFor(filled_.get(), -1, std::max(left, Milliseconds(0)));
    Drain(filled_.get());
    count = ring_.Pop(into);
    if (left <= Milliseconds(0)) break;
  }
  if (count == 0) count = ring_.Pop(into);  // samples that came just before the end
  if (count > 0) {
    if (wants_room_.exchange(false)) Signal(emptied_.get());
    repaired_.fetch_add(static_cast<std::int64_t>(MakeFinite(into.first(count))),
                        std::memory_order_relaxed);
    read_.fetch_add(static_cast<std::int64_t>(count), std::memory_order_relaxed);
    return count;
  }
  const MutexLock lock(mutex_);
  if (error_ && ended()) return Fail(*error_);
  return 0;
}

void Capture::Finish(std::optional<Error> error) {
  {
    const MutexLock lock(mutex_);
    state_ = error ? SourceState::kLost : SourceState::kClosed;
    problem_ = error ? error->what : "";
    error_ = std::move(error);
  }
  finished_.store(true, std::memory_order_release);
  WakeReader();
}

bool Capture::ended() const {
  return finished_.load(std::memory_order_acquire) && ring_.size() == 0;
}

SourceReport Capture::report() const {
  SourceReport report;
  report.samples = read_.load(std::memory_order_relaxed);
  report.dropped = ring_.dropped();
  report.repaired =
      repaired_.load(std::memory_order_relaxed) + missing_.load(std::memory_order_relaxed);
  report.interruptions = interruptions_.load(std::memory_order_relaxed);
  const MutexLock lock(mutex_);
  report.state = state_;
  report.device = device_;
  report.problem = problem_;
  return report;
}

namespace {

class ThreadSource : public Source {
 public:
  ThreadSource(CaptureLoop loop, std::size_t buffer_samples)
      : loop_(std::move(loop)), buffer_samples_(buffer_samples) {}
  ~ThreadSource() override { Close(); }

  Result<> Open() override {
    const MutexLock lock(control_);
    if (thread_.joinable()) return {};
    auto capture = std::make_shared<Capture>(buffer_samples_);
    // Other threads handle signals.
    sigset_t all, before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([capture, &loop = loop_] {
      auto result = loop(*capture);
      capture->Finish(result ? std::nullopt : std::optional(std::move(result.error())));
    });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    const MutexLock swap(current_mutex_);
    current_ = std::move(capture);
    return {};
  }

  void Close() override {
    const MutexLock lock(control_);
    if (!thread_.joinable()) return;
    current()->stop().Raise();
    thread_.join();
  }

  Result<std::size_t> Read(std::span<float> into, Milliseconds wait) override {
    const auto capture = current();
    if (!capture || into.empty()) return 0;
    return capture->Read(into, wait);
  }

  bool ended() const override {
    const auto capture = current();
    return capture && capture->ended() && !capture->stop().raised();
  }

  SourceReport report() const override {
    const auto capture = current();
    return capture ? capture->report() : SourceReport{};
  }

 private:
  std::shared_ptr<Capture> current() const {
    const MutexLock lock(current_mutex_);
    return current_;
  }

  CaptureLoop loop_;
  std::size_t buffer_samples_;
  Mutex control_;                            // Open and Close, one after the other
  std::thread thread_ GUARDED_BY(control_);  // joinable from Open to Close
  mutable Mutex current_mutex_;
  std::shared_ptr<Capture> current_ GUARDED_BY(current_mutex_);  // kept after Close for Read
};

}  // namespace

std::unique_ptr<Source> MakeThreadSource(CaptureLoop loop, std::size_t buffer_samples) {
  return std::make_unique<ThreadSource>(std::move(loop), buffer_samples);
}

}  // namespace headroom::audio
