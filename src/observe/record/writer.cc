#include "observe/record/writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <variant>

#include "base/file.h"
#include "base/mutex.h"
#include "base/text.h"
#include "observe/record/age.h"
#include "observe/record/black_box.h"
#include "observe/record/store.h"

namespace headroom::record {
namespace {

constexpr Milliseconds kKeepAfter{30'000};  // every sample, after a trigger
constexpr double kBlackBoxPerDay = 2e6, kBlackBoxBurst = 2e6;
constexpr double kEventsPerDay = 2e6, kEventsBurst = 512e3;
constexpr std::size_t kMostWaiting = 1024;  // events, while the file cannot be written
constexpr Milliseconds kJump{2'000};        // of the wall clock, to be recorded
constexpr Milliseconds kAgeEvery{std::chrono::hours(1)};

using Added = std::variant<Sample, Event, GpuName>;

std::string BootId() {
  const Result<std::string> id = ReadFile("/proc/sys/kernel/random/boot_id");
  return id ? std::string(Trim(*id)) : "unknown";
}

ThinOptions Thinning(const WriterOptions& options) {
  ThinOptions thin = options.thin;
  if (options.every_sample) thin.bands = 0, thin.bytes_per_day = thin.burst = 1e15;
  return thin;
}

double BytesOf(const Event& event) {
  return 24 + static_cast<double>(Name(event.kind).size() + AttributesToJson(event).size());
}

}  // namespace

struct Writer::State {
  State(WriterOptions with, FileLock held, const Clock& of)
      : options(std::move(with)),
        lock(std::move(held)),
        clock(of),
        thinner(Thinning(options)),
        kept_bytes(kBlackBoxPerDay, kBlackBoxBurst),
        event_bytes(kEventsPerDay, kEventsBurst) {}

  const WriterOptions options;
  const FileLock lock;
  const Clock& clock;

  Mutex mutex;
  CondVar wake, flushed;
  std::deque<Added> queue GUARDED_BY(mutex);
  std::string keep GUARDED_BY(mutex);  // a reason: keep the black box
  bool stop GUARDED_BY(mutex) = false, flush GUARDED_BY(mutex) = false;
  std::uint64_t added GUARDED_BY(mutex) = 0, done GUARDED_BY(mutex) = 0;  // entries
  WriterStatus status GUARDED_BY(mutex);

  // The thread's own.
  std::unique_ptr<Store> store;
  std::optional<MonoTime> retry_at, stopped_at, aged_at;
  bool set_aside = false;
  Thinner thinner;
  BlackBox box;
  Allowance kept_bytes, event_bytes;
  std::optional<MonoTime> keep_until;
  std::vector<Event> waiting;
  std::map<std::string, GpuName> gpus;
  std::int64_t lost_samples = 0, lost_events = 0;  // not yet recorded as such
  std::int64_t told_samples = 0, told_events = 0;  // of status, taken into account
  std::optional<Moment> latest;
  std::thread thread;

  void Loop();
  void Open();
  void Stop(const Error& error);
  void Work(std::deque<Added> batch, std::string reason);
  Result<> Write(std::deque<Added>& batch, std::string reason);
  Result<> WriteEvents(std::vector<Event> events);
  Result<> WriteBox(std::string_view reason, MonoTime now);
  Result<> Age();
  void SeeClock(Moment at, std::vector<Event>& events);
  Moment LatestOr(Moment now) const { return latest && latest->mono > now.mono ? *latest : now; }
};

Writer::Writer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Writer>> Writer::Open(WriterOptions options, const Clock& clock) {
  if (options.boot.empty()) options.boot = BootId();
  if (options.path.has_parent_path()) TRY(MakeDirectories(options.path.parent_path()));
  const std::string path = options.path.string();
  Result<FileLock> lock = FileLock::Try(path + ".lock");
  if (!lock) {
    if (lock.error().code != Errc::kBusy) return Fail(std::move(lock).error());
    return Fail(Errc::kBusy, "{}: another headroom process writes this flight record", path);
  }
  std::unique_ptr<Writer> writer(
      new Writer(std::make_unique<State>(std::move(options), std::move(*lock), clock)));
  State& state = *writer->state_;
  state.thread = std::thread([&state] { state.Loop(); });
  return writer;
}

Writer::~Writer() {
  {
    const MutexLock held(state_->mutex);
    state_->stop = true;
  }
  state_->wake.NotifyOne();
  state_->thread.join();
}

void Writer::Add(Sample sample) {
  State& s = *state_;
  bool wake = false;
  {
    const MutexLock held(s.mutex);
    ++s.status.samples;
    // A quarter of the room is for events alone.
    if (s.queue.size() >= s.options.queue - s.options.queue / 4) {
      ++s.status.dropped_samples;
      return;
    }
    wake = s.queue.empty();
    s.queue.emplace_back(std::move(sample));
    ++s.added;
  }
  if (wake) s.wake.NotifyOne();
}

void Writer::Note(Event event) {
  State& s = *state_;
  bool wake = false;
  {
    const MutexLock held(s.mutex);
    ++s.status.events;
    if (s.queue.size() >= s.options.queue) {
      ++s.status.dropped_events;
      return;
    }
    wake = s.queue.empty();
    s.queue.emplace_back(std::move(event));
    ++s.added;
  }
  if (wake) s.wake.NotifyOne();
}

void Writer::Describe(GpuName gpu) {
  State& s = *state_;
  {
    const MutexLock held(s.mutex);
    if (s.queue.size() >= s.options.queue) return;
    s.queue.emplace_back(std::move(gpu));
    ++s.added;
  }
  s.wake.NotifyOne();
}

void Writer::Keep(std::string reason) {
  {
    const MutexLock held(state_->mutex);
    state_->keep = std::move(reason);
  }
  state_->wake.NotifyOne();
}

bool Writer::Flush(Milliseconds wait) {
  State& s = *state_;
  const MutexLock held(s.mutex);
  const std::uint64_t wanted = s.added;
  s.flush = true;
  s.wake.NotifyOne();
  return s.flushed.WaitFor(s.mutex, wait,
                           [&]() REQUIRES(s.mutex) { return s.done >= wanted && !s.flush; });
}

WriterStatus Writer::status() const {
  const MutexLock held(state_->mutex);
  return state_->status;
}

void Writer::State::Loop() {
  Open();
  MutexLock held(mutex);
  while (true) {
    const auto something = [this]() REQUIRES(mutex) {
      return stop || flush || !queue.empty() || !keep.empty();
    };
    if (store)
      wake.Wait(mutex, something);
    else
      wake.WaitFor(mutex, options.retry_every, something);
    // One transaction for what comes within the time.
    if (!queue.empty()) {
      wake.WaitFor(mutex, options.commit_every, [this]() REQUIRES(mutex) {
        return stop || flush || queue.size() > options.queue / 2;
      });
    }
    const bool last = stop;
    std::deque<Added> batch;
    batch.swap(queue);
    std::string reason;
    reason.swap(keep);
    lost_samples += status.dropped_samples - std::exchange(told_samples, status.dropped_samples);
    lost_events += status.dropped_events - std::exchange(told_events, status.dropped_events);
    const std::uint64_t upto = added;
    held.Unlock();
    Work(std::move(batch), std::move(reason));
    if (last && store) {
      const Moment end = LatestOr(Now(clock));
      if (const auto ended = store->End(end); !ended) Stop(ended.error());
      store.reset();  // a checkpoint, and the -wal is gone
    }
    held.Lock();
    done = upto;
    flush = false;
    flushed.NotifyAll();
    if (last) {
      status.recording = false;
      return;
    }
  }
}

void Writer::State::Open() {
  const Moment now = Now(clock);
  if (retry_at && now.mono < *retry_at) return;
  retry_at = now.mono + options.retry_every;
  const auto open = [&]() -> Result<> {
    TRY_ASSIGN(const Bytes free, FreeSpace(options.path));
    if (free < options.keep_free)
      return Fail(Errc::kNoSpace, "{}: {} free, and recording leaves {} to others",
                  options.path.string(), FormatBinary(free), FormatBinary(options.keep_free));
    Run run;
    run.boot = options.boot, run.program = options.program, run.version = options.version;
    run.target = options.target, run.pid = ::getpid(), run.began = now;
    TRY_ASSIGN(Store::Opened opened, Store::Open(options.path, run));
    store = std::move(opened.store);
    if (opened.set_aside) {
      set_aside = true;
      waiting.push_back(Event{EventKind::kRecording, now, {}}
                            .With(Key::kStep, "set_aside")
                            .With(Key::kName, opened.set_aside->filename().string()));
    }
    return {};
  };
  const Result<> opened = open();
  if (!opened) return Stop(opened.error());
  if (stopped_at) {
    const auto gap = std::chrono::duration_cast<Milliseconds>(now.mono - *stopped_at);
    waiting.push_back(Event{EventKind::kRecording, now, {}}
                          .With(Key::kStep, "resumed")
                          .With(Key::kMs, gap.count()));
    stopped_at.reset();
  }
  thinner = Thinner(Thinning(options));
  for (const auto& [pci, gpu] : gpus) {
    // Recorded again: the file may be another one.
    if (!store->Begin() || !store->Put(gpu) || !store->Commit()) store->Rollback();
  }
  const MutexLock held(mutex);
  status.recording = true;
  status.trouble.clear(), status.code.reset();
  status.set_aside += std::exchange(set_aside, false) ? 1 : 0;
}

void Writer::State::Stop(const Error& error) {
  if (store) {
    store->Rollback();
    store.reset();
  }
  const MonoTime now = clock.Now();
  if (!stopped_at) stopped_at = now;
  retry_at = now + options.retry_every;
  const MutexLock held(mutex);
  status.recording = false;
  status.trouble = error.what, status.code = error.code;
}

void Writer::State::SeeClock(Moment at, std::vector<Event>& events) {
  if (latest && at.mono >= latest->mono) {
    const auto mono = std::chrono::duration_cast<Milliseconds>(at.mono - latest->mono);
    const auto wall = std::chrono::duration_cast<Milliseconds>(at.wall - latest->wall);
    const Milliseconds jump = wall - mono;
    if (jump > kJump || jump < -kJump)
      events.push_back(Event{EventKind::kClock, at, {}}.With(Key::kMs, jump.count()));
  }
  if (!latest || at.mono >= latest->mono) latest = at;
}

void Writer::State::Work(std::deque<Added> batch, std::string reason) {
  if (!store) Open();
  std::vector<Event> events;
  events.swap(waiting);
  for (const Added& one : batch) {
    if (const auto* gpu = std::get_if<GpuName>(&one)) gpus[gpu->gpu] = *gpu;
    if (const auto* event = std::get_if<Event>(&one)) events.push_back(*event);
  }
  waiting.swap(events);
  const auto wait_on = [this] {
    if (waiting.size() <= kMostWaiting) return;
    // The oldest say how it began; what came later is counted.
    lost_events += static_cast<std::int64_t>(waiting.size() - kMostWaiting);
    waiting.resize(kMostWaiting);
  };
  if (!store) {
    for (const Added& one : batch) {
      if (const auto* sample = std::get_if<Sample>(&one)) {
        box.Add(*sample);
        ++lost_samples;
      }
    }
    return wait_on();
  }
  const std::int64_t before = store->rows();
  if (const Result<> written = Write(batch, std::move(reason)); !written) {
    Stop(written.error());
    return wait_on();
  }
  const std::int64_t rows = store->rows() - before;
  const MonoTime now = clock.Now();
  if (!aged_at) aged_at = now;  // not at once: clocks are often wrong after a boot
  if (now - *aged_at >= kAgeEvery) {
    aged_at = now;
    if (const Result<> aged = Age(); !aged) return Stop(aged.error());
  }
  const MutexLock held(mutex);
  status.rows += rows;
  if (rows > 0) ++status.commits;
}

Result<> Writer::State::Age() {
  AgeOptions age;
  age.whole_for = options.whole_for, age.minutes_for = options.minutes_for;
  age.keep_for = options.keep_for;
  return AgeRecord(store->database(), age, Now(clock), store->run());
}

Result<> Writer::State::Write(std::deque<Added>& batch, std::string reason) {
  TRY_ASSIGN(const Bytes free, FreeSpace(options.path));
  if (free < options.keep_free)
    return Fail(Errc::kNoSpace, "{}: {} free; recording stops until there is more",
                options.path.string(), FormatBinary(free));
  const std::int64_t before = store->rows();
  TRY(store->Begin());
  std::vector<Event> events = std::exchange(waiting, {});
  // Until they are committed they are still waiting.
  const std::vector<Event> saved = events;
  const auto write = [&]() -> Result<> {
    for (const Added& one : batch) {
      if (const auto* gpu = std::get_if<GpuName>(&one)) TRY(store->Put(*gpu));
      const auto* sample = std::get_if<Sample>(&one);
      if (!sample) continue;
      SeeClock(sample->at, events);
      if (!options.every_sample) box.Add(*sample);
      if (const Rows rows = thinner.Push(*sample); !rows.empty()) TRY(store->Put(rows));
    }
    for (const Event& event : events) {
      if (reason.empty() && IsTrigger(event)) reason = Name(event.kind);
      if (!latest || event.at.mono > latest->mono) latest = event.at;
    }
    const Moment now = LatestOr(Moment{});
    if (lost_samples + lost_events > 0) {
      events.push_back(Event{EventKind::kDropped, now, {}}
                           .With(Key::kSamples, lost_samples)
                           .With(Key::kEvents, lost_events));
      lost_samples = lost_events = 0;
    }
    TRY(WriteEvents(std::move(events)));
    TRY(WriteBox(reason, now.mono));
    if (store->rows() == before) {
      store->Rollback();
      return {};
    }
    return store->Commit();
  };
  Result<> written = write();
  if (!written) waiting = saved;
  return written;
}

Result<> Writer::State::WriteEvents(std::vector<Event> events) {
  std::ranges::stable_sort(events, {}, [](const Event& event) { return event.at.mono; });
  for (const Event& event : Coalesce(std::move(events))) {
    const double bytes = BytesOf(event);
    if (!options.every_sample && event_bytes.Left(event.at.mono) < bytes &&
        event.kind != EventKind::kDropped) {
      lost_events += event.count();
      continue;
    }
    event_bytes.Take(bytes);
    TRY(store->Put(event));
  }
  return {};
}

Result<> Writer::State::WriteBox(std::string_view reason, MonoTime now) {
  if (options.every_sample) return {};
  if (reason.empty() && !(keep_until && now < *keep_until)) return {};
  const std::vector<Rows> rows = box.Take(kept_bytes.Left(now));
  for (const Rows& one : rows) {
    kept_bytes.Take(one.bytes());
    TRY(store->Put(one));
  }
  if (reason.empty()) return {};
  const bool going_on = keep_until && now < *keep_until;
  keep_until = now + kKeepAfter;
  if (going_on || rows.empty()) return {};
  {
    const MutexLock held(mutex);
    ++status.kept;
  }
  return store->Put(Event{EventKind::kKept, *latest, {}}
                        .With(Key::kReason, reason)
                        .With(Key::kSamples, rows.size()));
}

}  // namespace headroom::record
