// What lines of logs say for and against each explanation: errors, kills, sleep, resets, work.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "observe/analyze/causes.h"

namespace headroom::analyze {

using std::chrono::minutes;

void Causes::Codes() {
  std::uint64_t memory = 0, sticky = 0, lost = 0, host = 0;
  Citation memory_from, sticky_from, lost_from, host_from;
  std::string code;
  for (const Event& event : context_.evidence.events()) {
    const EventType& type = context_.evidence.type(event);
    if (type.kind != EventKind::kError) continue;
    const auto count = [&](std::uint64_t& of, Citation& from) {
      if (of == 0) from = event.from;
      of += event.count;
    };
    if (type.family == Family::kOutOfMemory) count(memory, memory_from);
    if (type.family == Family::kSticky) {
      count(sticky, sticky_from);
      if (code.empty()) code = type.code;
    }
    if (type.family == Family::kLost) count(lost, lost_from);
    if (type.family == Family::kHostOutOfMemory) count(host, host_from);
  }
  memory_ = memory;
  if (memory > 0) {
    Add(kExhausted, 3,
        fmt::format("{} errors say that an allocation on the GPU was refused (error 2)", memory),
        Basis::kMeasured, {memory_from});
    Add(kTooLarge, 1, "allocations on the GPU were refused", Basis::kMeasured, {memory_from});
    Add(kFault, -2, "the errors name memory, not a kernel", Basis::kMeasured, {memory_from});
  }
  if (sticky > 0 && memory == 0) {
    const std::string text = fmt::format(
        "all {} device errors are {}, which is not what a refused allocation gives (error 2)",
        sticky, code.empty() ? "of the sticky kind" : "error " + code);
    Add(kExhausted, -3, text, Basis::kMeasured, {sticky_from});
    Add(kTooLarge, -1.5, text, Basis::kMeasured, {sticky_from});
    Add(kNeighbour, -2, text, Basis::kMeasured, {sticky_from});
    Add(kLeak, -2, text, Basis::kMeasured, {sticky_from});
    Add(kHost, -1, text, Basis::kMeasured, {sticky_from});
    Add(kBacklog, -2, text, Basis::kMeasured, {sticky_from});
    const std::string usual = fmt::format(
        "error {} means that the device's context broke, and stays until the process ends", code);
    Add(kSuspend, 1.5, usual, Basis::kInferred, {sticky_from});
    Add(kFault, 2, usual, Basis::kInferred, {sticky_from});
    Add(kReset, 0.5, usual, Basis::kInferred, {sticky_from});
  }
  if (lost > 0) {
    Add(kReset, 2, fmt::format("{} errors say that the device was lost", lost), Basis::kMeasured,
        {lost_from});
    Add(kSuspend, 0.5, "errors say that the device was lost", Basis::kMeasured, {lost_from});
  }
  if (host > 0)
    Add(kHost, 2.5, fmt::format("{} errors say that the host's memory was not enough", host),
        Basis::kMeasured, {host_from});
}

// Who was killed, by whom, how large it was and which limit was reached.
void Causes::Kills() {
  const Event* kill =
      context_.Next(EventKind::kOomKill, onset_ - minutes(10), onset_ + minutes(10));
  if (!kill) return;
  const EventType& type = context_.evidence.type(*kill);
  std::string text = context_.Describe(*kill);
  if (!type.unit.empty() && type.unit != "kernel") text += ": " + type.unit;
  if (const auto held = context_.Figure(Metric::kKilled, kill->from))
    text += fmt::format(", which held {:.2f} GiB ({})", *held / 1073741824, Size(*held));
  for (const Series& series : context_.evidence.series()) {
    if (series.metric != Metric::kLimit || series.points.empty()) continue;
    const double limit = static_cast<double>(series.points.front().value);
    text += fmt::format("; the limit was {:.2f} GiB ({})", limit / 1073741824, Size(limit));
    break;
  }
  const bool pressure =
      type.name == "oomd-kill" || type.name == "earlyoom-kill" || type.name == "oomd-killed-unit";
  const bool group = type.name == "oom-kill-cgroup" || type.name == "container-oom";
  const bool guess = type.name == "exit-137" || type.name == "killed";
  Add(pressure                           ? kPressure
      : group || type.name == "exit-137" ? kLimit
                                         : kHost,
      guess ? 2 : 4.5, std::move(text), Basis::kMeasured, {kill->from});
}

// What the line of the first refused allocation says: tried, free, total, and by whom.
void Causes::Figures() {
  const Event* first = nullptr;
  for (const Event& event : context_.evidence.events()) {
    const EventType& type = context_.evidence.type(event);
    if (type.kind != EventKind::kError) continue;
    if (type.family == Family::kHeap)
      Add(kHeap, 4, context_.Describe(event), Basis::kMeasured, {event.from});
    if (type.family == Family::kHostOutOfMemory)
      if (const auto tried = context_.Figure(Metric::kRamTried, event.from))
        Add(kHost, 0.5, fmt::format("{:.1f} GiB were tried on the host", *tried / 1073741824),
            Basis::kMeasured, {event.from});
    if (type.family == Family::kHeap) return;
    if (type.family != Family::kOutOfMemory) continue;
    first = &event;
    break;
  }
  if (!first) return;
  const auto figure = [&](Metric metric) { return context_.Figure(metric, first->from); };
  const auto tried = figure(Metric::kVramTried), free = figure(Metric::kVramFree);
  auto total = figure(Metric::kVramTotal);
  if (!total)
    for (const Series& series : context_.evidence.series())
      if (series.metric == Metric::kVramTotal && !series.points.empty())
        total = static_cast<double>(series.points.back().value);
  auto unused = figure(Metric::kVramUnallocated);
  if (const auto reserved = figure(Metric::kVramReserved), held = figure(Metric::kVramAllocated);
      !unused && reserved && held && *reserved > *held)
    unused = *reserved - *held;
  const std::vector<Citation> from = {first->from};
  std::string said;
  if (tried) {
    said = GpuSize(*tried) + " were tried";
    if (free) said += ", " + GpuSize(*free) + " were free";
    if (total) said += " of " + GpuSize(*total);
  }
  const bool fragmented = unused && tried && *unused >= *tried && total && *unused > 0.03 * *total;
  if (fragmented) {
    Add(kFragmented, 6,
        fmt::format("{}; the allocator held {} that it did not use", said, GpuSize(*unused)),
        Basis::kMeasured, from);
    Add(kExhausted, -2, "the allocator held unused memory that was more than what was tried",
        Basis::kDerived, from);
  } else if (tried && total && *tried > *total) {
    Add(kTooLarge, 6, said + ": more than the GPU has", Basis::kMeasured, from);
    Add(kExhausted, -1, "one request is larger than the GPU", Basis::kDerived, from);
  } else if (tried) {
    Add(kExhausted, 0.5, said, Basis::kMeasured, from);
  }
  const auto other = figure(Metric::kVramOther);
  if (other && total && *other > 0.15 * *total)
    Add(kNeighbour, 3, fmt::format("another process held {} of the GPU", GpuSize(*other)),
        Basis::kMeasured, from);
  const Event* load = context_.Last(EventKind::kLoad, first->at - minutes(15), first->at);
  const Event* ready = context_.Last(EventKind::kReady, first->at - minutes(15), first->at);
  if (load && (!ready || ready->at < load->at) && !fragmented) {
    std::string text =
        fmt::format("it failed {} after a model began to load", FormatLength(first->at - load->at));
    if (const auto required = context_.Figure(Metric::kVramRequired, load->from))
      text += fmt::format(", which needs {:.1f} GiB in all", *required / 1073741824);
    Add(kTooLarge, 4, std::move(text), Basis::kDerived, {load->from, first->from});
  }
}

void Causes::Sleep() {
  const Event* suspend =
      context_.Last(EventKind::kSuspend, onset_ - std::chrono::hours(12), onset_);
  const Event* resume = context_.Last(EventKind::kResume, onset_ - std::chrono::hours(12), onset_);
  const Event* step = context_.Last(EventKind::kClockStep, onset_ - minutes(30), onset_);
  const bool forward = step && context_.evidence.type(*step).name == "clock-forward";
  const Event* last = resume ? resume : suspend;
  if (last) {
    const Milliseconds apart = onset_ - last->at;
    const double weight = apart <= minutes(10) ? 3.5 : apart <= minutes(60) ? 2 : 0.5;
    Add(kSuspend, weight,
        fmt::format("{}; the first error came {} later", context_.Describe(*last),
                    FormatLength(apart)),
        Basis::kMeasured, {last->from, FirstError()});
    if (apart <= minutes(10)) {
      Add(kExhausted, -0.5, "the machine had just woken up, which explains the errors without it",
          Basis::kInferred, {last->from});
      Add(kFault, -1.5,
          "the machine had just woken up, which explains a broken context without a bug",
          Basis::kInferred, {last->from});
    }
  } else if (forward) {
    Add(kSuspend, 2,
        fmt::format("{}: {} that the monotonic clock did not count, {} before the first error",
                    context_.Describe(*step), context_.evidence.type(*step).subject,
                    FormatLength(onset_ - step->at)),
        Basis::kDerived, {step->from});
  } else if (context_.kernel_covered()) {
    Add(kSuspend, -4, "the kernel's lines are in the record, and none reports sleep",
        Basis::kMeasured);
    Add(kFault, 0.5, "no sleep explains a broken context", Basis::kInferred);
  } else {
    Add(kSuspend, -0.5, "no line reports sleep, but the kernel's lines are not in the record",
        Basis::kInferred);
  }
}

void Causes::Resets() {
  const Event* reset =
      context_.Next(EventKind::kReset, onset_ - minutes(5), onset_ + Milliseconds(5000));
  Heat();
  if (reset) {
    const EventType& type = context_.evidence.type(*reset);
    const bool program = type.name == "xid" && (type.code == "13" || type.code == "31" ||
                                                type.code == "43" || type.code == "45");
    std::string text = context_.Describe(*reset);
    if (type.name == "xid") text = fmt::format("Xid {} of {}: {}", type.code, type.subject, text);
    // The program whose work it was, and what followed: each code once.
    std::string who = type.unit == "kernel" ? "" : type.unit;
    std::vector<std::string> codes = {type.code};
    const auto& events = context_.evidence.events();
    for (const Event& event : events) {
      const EventType& later = context_.evidence.type(event);
      if (later.kind != EventKind::kReset || event.at < reset->at ||
          event.at > reset->at + minutes(10))
        continue;
      if (who.empty() && later.unit != "kernel" && !later.unit.empty()) who = later.unit;
      if (std::find(codes.begin(), codes.end(), later.code) != codes.end() || later.code.empty())
        continue;
      codes.push_back(later.code);
      consequences_.push_back({fmt::format("Xid {} followed {} later: {}", later.code,
                                           FormatLength(event.at - reset->at), later.meaning),
                               Basis::kMeasured,
                               {event.from}});
    }
    if (!who.empty()) text += "; the program was " + who;
    if (program) {
      Add(kFault, 4, text + ": a fault of the program's own", Basis::kMeasured, {reset->from});
    } else {
      Add(kReset, 4.5, text, Basis::kMeasured, {reset->from});
      Add(kFault, -1, "the driver reported the reset itself", Basis::kInferred, {reset->from});
    }
  } else if (context_.kernel_covered()) {
    Add(kReset, -2.5,
        "the kernel's lines are in the record, and none reports a reset (Xid) around the first "
        "error",
        Basis::kMeasured);
    Add(kFault, -0.5, "a kernel that faults usually leaves an Xid 13 or 31, and there is none",
        Basis::kInferred);
  }
}

void Causes::Heat() {
  double hottest = 0;
  Citation from;
  for (const Series& series : context_.evidence.series()) {
    if (series.metric != Metric::kTemperature) continue;
    for (const Point& point : Between(series.points, onset_ - minutes(10), onset_ + minutes(1)))
      if (static_cast<double>(point.value) > hottest)
        hottest = static_cast<double>(point.value), from = {series.source, point.line};
  }
  if (hottest >= 90)
    Add(kReset, 1, fmt::format("the GPU was at {:.0f} °C", hottest), Basis::kMeasured, {from});
  if (const Event* hot =
          context_.Last(EventKind::kHot, onset_ - minutes(10), onset_ + Milliseconds(5000)))
    Add(kReset, 3.5, context_.Describe(*hot), Basis::kMeasured, {hot->from});
}

void Causes::Work() {
  if (const Event* event = context_.Last(EventKind::kActivity, onset_ - minutes(1), onset_)) {
    const std::string text =
        fmt::format("work arrived {} before the first error, after a calm time",
                    FormatLength(onset_ - event->at));
    Add(kFault, 0.5, text, Basis::kMeasured, {event->from});
    Add(kExhausted, 0.5, text, Basis::kMeasured, {event->from});
    Add(kSuspend, 0.5, "the first use of the device after it: " + text, Basis::kMeasured,
        {event->from});
  }
}

Citation Causes::FirstError() const {
  return findings_.bursts.empty() ? Citation{} : findings_.bursts.front().first_from;
}

}  // namespace headroom::analyze
