#include "app/cli/governor_record.h"

#include <algorithm>

namespace headroom::cli {
namespace {

constexpr std::size_t kMostRows = 2'000'000;

const record::GpuSample* LargestGpu(const record::Sample& sample) {
  const auto size = [](const record::GpuSample& gpu) { return gpu.total.value_or(Bytes(0)); };
  const auto gpu = std::ranges::max_element(sample.gpus, {}, size);
  return gpu == sample.gpus.end() ? nullptr : &*gpu;
}

memory::Sample ToGovernor(const record::Sample& recorded) {
  memory::Sample sample;
  if (const record::GpuSample* gpu = LargestGpu(recorded)) {
    sample.vram_total = gpu->total;
    sample.vram_used = gpu->used;
    sample.vram_ours = gpu->own;
    sample.vram_others = gpu->others();
  }
  sample.ram = recorded.service.ram;
  sample.swap = recorded.service.swap;
  sample.ram_available = recorded.host.available;
  sample.host_total = recorded.host.total;
  sample.memory_high = recorded.service.cgroup_high;
  sample.psi_some = recorded.host.psi_some;
  sample.psi_full = recorded.host.psi_full;
  return sample;
}

// Whether the governor takes this kind of event; if so, adds it to `sample`.
bool Put(const record::Event& event, memory::Sample& sample) {
  if (event.kind == record::EventKind::kSuspend) return sample.suspending = true;
  if (event.kind == record::EventKind::kResume) return sample.resumed = true;
  if (event.kind != record::EventKind::kError) return false;
  sample.failure = memory::FailureFromName(event.Text(record::Key::kClass));
  return sample.failure.has_value();
}

}  // namespace

Result<memory::Trace> TraceFrom(record::Reader& reader) {
  memory::Trace trace;
  memory::Sample last;  // the last values known, for events
  std::optional<WallTime> zero;
  while (const auto entry = reader.Next()) {
    memory::TraceRow row;
    record::Moment at;
    if (const auto* sample = std::get_if<record::Sample>(&entry->what)) {
      at = sample->at;
      row.sample = last = ToGovernor(*sample);
      row.holds = sample->holds;
    } else {
      const auto& event = std::get<record::Event>(entry->what);
      at = event.at;
      row.sample = last;
      if (!zero || !Put(event, row.sample)) continue;
    }
    if (!zero) zero = at.wall;
    row.at = std::chrono::duration_cast<Milliseconds>(at.wall - *zero);
    if (!trace.rows.empty()) {  // wall clocks can go back, and events come between samples
      memory::TraceRow& before = trace.rows.back();
      row.at = std::max(row.at, before.at);
      if (!row.holds && before.holds)
        row.holds = *before.holds - std::min(*before.holds, row.at - before.at);
    }
    if (trace.rows.size() >= kMostRows)
      return Fail(Errc::kInvalid, "more than {} samples; use --last to take the newest", kMostRows);
    trace.rows.push_back(row);
  }
  return trace;
}

}  // namespace headroom::cli
