#include "app/daemon/recording.h"

#include <unistd.h>

#include <utility>

namespace headroom::app {
namespace {

using record::EventKind;
using record::Key;

record::GpuState StateOf(const probe::Device& device, probe::ProbeState probe) {
  if (probe != probe::ProbeState::kFresh) return record::GpuState::kLate;
  switch (device.state) {
    case probe::DeviceState::kActive:
      return record::GpuState::kActive;
    case probe::DeviceState::kSuspended:
      return record::GpuState::kSuspended;
    case probe::DeviceState::kResting:
      return record::GpuState::kResting;
    case probe::DeviceState::kLost:
      return record::GpuState::kLost;
    case probe::DeviceState::kError:
      return record::GpuState::kError;
  }
  return record::GpuState::kError;
}

record::Event Now(EventKind kind) {
  return {.kind = kind, .at = record::Now(SystemClock()), .attributes = {}};
}

}  // namespace

Result<std::unique_ptr<Recording>> Recording::Open(const std::filesystem::path& file,
                                                   const std::string& kernel_log) {
  record::WriterOptions options;
  options.path = file;
  options.version = HEADROOM_VERSION;
  TRY_ASSIGN(auto writer, record::Writer::Open(std::move(options)));
  std::unique_ptr<Recording> recording(new Recording(std::move(writer), kernel_log));
  recording->Note(Now(EventKind::kStart).With(Key::kVersion, std::string_view(HEADROOM_VERSION)));
  recording->Note(
      Now(EventKind::kRecording)
          .With(Key::kStep, std::string_view("kernel_log"))
          .With(Key::kReason,
                std::string_view(recording->kernel_.readable() ? "followed" : "not readable")));
  return recording;
}

void Recording::Measured(const probe::Sample& sample) {
  for (record::Event& event : kernel_.Read({sample.at, sample.wall})) {
    // Suspend and resume are told by logind, and noted once.
    if (event.kind == EventKind::kKernel) Note(std::move(event));
  }
  record::Sample out;
  out.at = {sample.at, sample.wall};
  if (sample.host) {
    out.host.total = sample.host->total;
    out.host.available = sample.host->available;
    if (sample.host->swap) {
      out.host.swap_total = sample.host->swap->total;
      out.host.swap_used = sample.host->swap->used();
    }
  }
  if (sample.host_pressure) {
    out.host.psi_some = sample.host_pressure->some.avg10;
    out.host.psi_full = sample.host_pressure->full.avg10;
  }
  {
    const std::lock_guard lock(mutex_);
    out.service = service_;
  }
  out.service.ram = sample.service_ram;
  out.service.swap = sample.service_swap;
  if (sample.cgroup) {
    out.service.cgroup_current = sample.cgroup->current;
    out.service.cgroup_high = sample.cgroup->effective_high;
    out.service.cgroup_max = sample.cgroup->effective_max;
    out.service.cgroup_swap = sample.cgroup->swap_current;
    out.service.room = sample.cgroup->room;
  }
  for (const probe::DeviceSample& device : sample.devices) {
    out.gpus.push_back({.gpu = device.device.pci,
                        .state = StateOf(device.device, sample.probe),
                        .total = device.device.total,
                        .used = device.device.used,
                        .own = device.own});
  }
  for (const probe::ProcessMemory& process : sample.processes) {
    record::ProcessSample one;
    one.pid = process.pid;
    one.role = process.pid == ::getpid() ? "daemon" : "worker";
    one.rss = process.status.rss;
    one.counted = process.status.counted();
    one.swap = process.status.swap;
    if (process.rollup) one.pss = process.rollup->pss;
    out.processes.push_back(std::move(one));
  }
  writer_->Add(std::move(out));
}

void Recording::Governed(const asr::SchedulerStatus& status, Milliseconds queue) {
  const std::lock_guard lock(mutex_);
  service_.tier = status.tier_title;
  service_.queue = queue;
  for (std::size_t i = 0; i < memory::kGauges; ++i) service_.zones[i] = status.zones[i];
}

void Recording::Happened(const Event& event) {
  const auto id = event.data.value("utterance", std::int64_t{0});
  if (event.name == "speech") {
    const std::string what = event.data.value("what", "");
    if (what == "begin") {
      writer_->Note(Now(EventKind::kSpeechBegin).With(Key::kUtterance, id));
    } else if (what == "end") {
      writer_->Note(Now(EventKind::kSpeechEnd)
                        .With(Key::kUtterance, id)
                        .With(Key::kAudioMs, event.data.value("audio_ms", std::int64_t{0})));
    }
  } else if (event.name == "text") {
    writer_->Note(
        Now(EventKind::kUtterance)
            .With(Key::kUtterance, id)
            .With(Key::kStep, std::string_view(event.data.value("delivered", true) ? "delivered"
                                                                                   : "undelivered"))
            .With(Key::kMs, event.data.value("latency_ms", std::int64_t{0}))
            .With(Key::kTier, std::string_view(event.data.value("tier", ""))));
  } else if (event.name == "trouble") {
    writer_->Note(record::ErrorEvent(
        record::Now(SystemClock()), event.data.value("code", "internal"), std::nullopt, "service"));
  } else if (event.name == "reloaded") {
    writer_->Note(Now(EventKind::kConfig));
  }
}

void Recording::Acted(const memory::Action& action) {
  if (action.kind == memory::ActionKind::kZone) {
    writer_->Note(
        record::ZoneEvent(record::Now(SystemClock()), action.gauge, action.from, action.to));
  } else {
    writer_->Note(record::ActionEvent(record::Now(SystemClock()), action, ""));
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
