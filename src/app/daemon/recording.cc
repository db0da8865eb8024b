#include "app/daemon/recording.h"

#include <unistd.h>

#include <map>
#include <utility>

#include "observe/watch/sample_of.h"

namespace headroom::app {
namespace {

using record::EventKind;
using record::Key;

}  // namespace

record::Event Recording::Now(EventKind kind) const {
  return {.kind = kind, .at = record::Now(clock_), .attributes = {}};
}

Result<std::unique_ptr<Recording>> Recording::Open(RecordingOptions options) {
  record::WriterOptions writing;
  writing.path = options.file;
  writing.version = HEADROOM_VERSION;
  TRY_ASSIGN(auto writer, record::Writer::Open(std::move(writing), *options.clock));
  std::unique_ptr<Recording> recording(new Recording(options, std::move(writer)));
  recording->Note(
      recording->Now(EventKind::kStart).With(Key::kVersion, std::string_view(HEADROOM_VERSION)));
  recording->Note(
      recording->Now(EventKind::kRecording)
          .With(Key::kStep, std::string_view("kernel_log"))
          .With(Key::kReason,
                std::string_view(recording->kernel_.readable() ? "followed" : "not readable")));
  return recording;
}

void Recording::Measured(const probe::Sample& sample, std::string_view gpu) {
  for (record::Event& event : kernel_.Read({sample.at, sample.wall})) {
    // Suspend and resume come from logind and are noted once.
    if (event.kind == EventKind::kKernel) Note(std::move(event));
  }
  std::map<pid_t, std::string> roles;
  for (const probe::ProcessMemory& process : sample.processes)
    roles[process.pid] = process.pid == ::getpid() ? "daemon" : "worker";
  record::Sample out = watch::SampleOf(sample, roles);
  watch::FillZones(out, thresholds_, gpu);
  {
    const MutexLock lock(mutex_);
    out.service.tier = tier_;
    out.service.queue = queue_;
  }
  writer_->Add(std::move(out));
}

void Recording::Governed(const std::string& tier, Milliseconds queue) {
  const MutexLock lock(mutex_);
  tier_ = tier;
  queue_ = queue;
}

void Recording::Happened(const Event& event) {
  std::visit(net::Visitor{
                 [this](const net::SpeechBegan& e) {
                   Note(Now(EventKind::kSpeechBegin).With(Key::kUtterance, e.utterance));
                 },
                 [this](const net::SpeechEnded& e) {
                   Note(Now(EventKind::kSpeechEnd)
                            .With(Key::kUtterance, e.utterance)
                            .With(Key::kAudioMs, e.audio.count()));
                 },
                 [this](const net::TextDelivered& e) {
                   record::Event note =
                       Now(EventKind::kUtterance)
                           .With(Key::kUtterance, e.utterance)
                           .With(Key::kStep,
                                 std::string_view(e.failure ? "undelivered" : "delivered"))
                           .With(Key::kTier, e.tier);
                   if (e.latency) note.With(Key::kMs, e.latency->count());
                   Note(std::move(note));
                 },
                 [this](const net::Warning& e) {
                   Note(record::ErrorEvent(record::Now(clock_), Name(e.error.code), std::nullopt,
                                           "service"));
                 },
                 [this](const net::Reloaded&) { Note(Now(EventKind::kConfig)); },
                 [](const auto&) {},
             },
             event);
}

void Recording::Acted(const memory::Action& action) {
  if (action.kind == memory::ActionKind::kZone) {
    writer_->Note(record::ZoneEvent(record::Now(clock_), action.gauge, action.from, action.to));
  } else {
    writer_->Note(record::ActionEvent(record::Now(clock_), action, ""));
  }
}

void Recording::TierChanged(const asr::TierEvent& event) {
  const auto note = [&](EventKind kind) {
    writer_->Note(Now(kind)
                      .With(Key::kTier, std::string_view(event.title))
                      .With(Key::kMs, std::int64_t{event.took.count()}));
  };
  switch (event.change) {
    case asr::TierChange::kLoading:
      return note(EventKind::kModelLoading);
    case asr::TierChange::kReady:
      return note(EventKind::kModelReady);
    case asr::TierChange::kEnded:
      return note(EventKind::kModelUnloaded);
    case asr::TierChange::kFailed:
      return note(EventKind::kWorkerExit);
    case asr::TierChange::kMemoryBack:
    case asr::TierChange::kMemoryKept:
      return;
  }
}

}  // namespace headroom::app
