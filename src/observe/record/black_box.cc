#include "observe/record/black_box.h"

#include <algorithm>

namespace headroom::record {
namespace {

// Every change, and a heartbeat, so that a box that lost its oldest rows is whole again soon.
ThinOptions Everything() {
  ThinOptions options;
  options.bands = 0;
  options.bytes_per_day = options.burst = 1e15;
  return options;
}

Bytes MemoryOf(const Rows& rows) {
  return Bytes(static_cast<std::int64_t>(sizeof(Rows) + rows.gpus.size() * sizeof(GpuSample) +
                                         rows.processes.size() * sizeof(ProcessSample)));
}

bool SameBut(const Event& a, const Event& b) {
  const auto without = [](const Event& event) {
    std::vector<Attribute> attributes = event.attributes;
    std::erase_if(attributes, [](const Attribute& one) { return one.key == Key::kCount; });
    return attributes;
  };
  return a.kind == b.kind && without(a) == without(b);
}

}  // namespace

BlackBox::BlackBox(BlackBoxOptions options) : options_(options), thinner_(Everything()) {}

void BlackBox::Add(const Sample& sample) {
  Rows rows = thinner_.Push(sample);
  if (!rows.empty()) {
    memory_ += MemoryOf(rows);
    rows_.push_back(std::move(rows));
  }
  while (!rows_.empty() &&
         (sample.at.mono - rows_.front().at.mono > options_.reach || memory_ > options_.most)) {
    memory_ -= MemoryOf(rows_.front());
    rows_.pop_front();
  }
}

std::vector<Rows> BlackBox::Take(double bytes) {
  auto first = rows_.end();
  while (first != rows_.begin() && bytes - std::prev(first)->bytes() >= 0) {
    --first;
    bytes -= first->bytes();
  }
  std::vector<Rows> taken(std::make_move_iterator(first), std::make_move_iterator(rows_.end()));
  rows_.clear();
  memory_ = Bytes();
  return taken;
}

bool IsTrigger(const Event& event) {
  switch (event.kind) {
    case EventKind::kZone:
    case EventKind::kError:
    case EventKind::kKernel:
      return true;
    case EventKind::kWorkerExit:
      return event.Integer(Key::kSignal).value_or(0) != 0 ||
             event.Integer(Key::kExitCode).value_or(0) != 0;
    default:
      return false;
  }
}

std::vector<Event> Coalesce(std::vector<Event> events) {
  std::vector<Event> result;
  for (Event& event : events) {
    bool merged = false;
    for (auto known = result.rbegin(); known != result.rend() && !merged; ++known) {
      if (event.at.mono - known->at.mono >= std::chrono::seconds(1)) break;
      if (!SameBut(*known, event)) continue;
      known->With(Key::kCount, known->count() + event.count());
      merged = true;
    }
    if (!merged) result.push_back(std::move(event));
  }
  return result;
}

}  // namespace headroom::record
