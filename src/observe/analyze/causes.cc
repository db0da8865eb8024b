// Competing explanations, each scored by a sum of weights from the evidence for and against it.
// The weights are a table of judgements, in one place: here and in docs/report.md.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "observe/analyze/passes.h"

namespace headroom::analyze {
namespace {

using std::chrono::minutes;

enum Which {
  kExhausted,
  kSuspend,
  kReset,
  kFault,
  kLeak,
  kNeighbour,
  kHost,
  kBacklog,
  kTooLarge,
  kFragmented,
  kLimit,
  kPressure,
  kHeap,
  kWhiches
};

struct About {
  const char* id;
  const char* title;
  const char* decide;
};
constexpr std::array<About, kWhiches> kAbout = {{
    {"memory-exhausted", "the GPU's memory was used up",
     "device memory sampled every second through the next failure, and the allocator's own message "
     "(error 2 names what was tried and what was free)"},
    {"suspend-resume", "the machine slept, and the device's state did not survive",
     "suspend with the service running: if the same code follows, it is this; ending the worker "
     "before sleep makes it go away"},
    {"driver-reset", "the driver or the GPU was reset",
     "kernel lines (Xid, amdgpu reset) of the minute before the first error"},
    {"device-fault", "a kernel faulted by itself: a bug of the program, the driver or the GPU",
     "run once with CUDA_LAUNCH_BLOCKING=1 or compute-sanitizer, and look at the kernel's log for "
     "Xid 13 and 31"},
    {"leak", "memory leaked until nothing was left",
     "a longer record of the same service without restarts"},
    {"another-process", "another program took the memory",
     "memory of each process on the GPU (nvidia-smi pmon -s m -o DT) through the next failure"},
    {"host-memory", "the host's memory was short",
     "pressure (/proc/pressure/memory) and swap sampled every second before the first error"},
    {"client-backlog", "work was sent faster than it could be done",
     "the length of the queue, in seconds of audio or in requests"},
    {"model-too-large", "the model leaves too little room on this GPU",
     "the same load with a smaller quantisation: if it never fails, it was this"},
    {"fragmentation",
     "the allocator's memory was fragmented: much is held, and no free piece is large enough",
     "the same load with PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True: if it passes, it was "
     "this"},
    {"memory-limit", "the control group's (container's) memory limit was reached",
     "memory.current and memory.max of the group, sampled through the next failure"},
    {"pressure-kill",
     "a memory daemon ended it because of memory pressure, before memory was used up",
     "pressure (/proc/pressure/memory) and swap sampled every second before the kill"},
    {"heap-limit", "the program's own heap limit was reached",
     "a heap dump, or the same load with a larger heap: if the level goes on rising, it leaks"},
}};

// A gauge's course around the onset.
struct Course {
  const Gauge* gauge = nullptr;
  std::optional<double> before, at, after;  // ten minutes before, at the onset, highest after it
  std::uint32_t source = 0, line = 0;
  std::optional<Instant> rise;  // the first reading a twentieth above that before
};

// Weights are judgements: divided by this, six points of difference are 55 to 1 and not 400 to 1.
constexpr double kCaution = 1.5;

class Causes {
 public:
  explicit Causes(Context& context)
      : context_(context), findings_(context.findings), onset_(*context.findings.onset) {
    for (std::size_t i = 0; i < kWhiches; ++i) {
      Hypothesis hypothesis;
      hypothesis.id = kAbout[i].id;
      hypothesis.title = kAbout[i].title;
      hypothesis.decide = kAbout[i].decide;
      hypotheses_.push_back(std::move(hypothesis));
    }
  }

  void Weigh() {
    vram_ = CourseOf(context_.First(GaugeKind::kVram));
    ram_ = CourseOf(context_.First(GaugeKind::kRam));
    swap_ = CourseOf(context_.First(GaugeKind::kSwap));
    Codes();
    Kills();
    Figures();
    Sleep();
    Resets();
    GpuMemory();
    HostMemory();
    Others();
    Leaks();
    Work();
    Model();
    Explained();
  }

  void Finish() {
    double sum = 1;  // "something that this record does not show", at score 0
    for (Hypothesis& hypothesis : hypotheses_) {
      hypothesis.score = 0;
      for (const auto& [weight, statement] : hypothesis.evidence) hypothesis.score += weight;
      std::stable_sort(
          hypothesis.evidence.begin(), hypothesis.evidence.end(),
          [](const auto& a, const auto& b) { return std::abs(a.first) > std::abs(b.first); });
      // What nothing speaks for is not a candidate, however little speaks against it.
      const bool spoken_for = std::any_of(hypothesis.evidence.begin(), hypothesis.evidence.end(),
                                          [](const auto& item) { return item.first > 0; });
      hypothesis.share = spoken_for ? std::exp(hypothesis.score / kCaution) : 0;
      sum += hypothesis.share;
    }
    for (Hypothesis& hypothesis : hypotheses_) hypothesis.share /= sum;
    std::stable_sort(hypotheses_.begin(), hypotheses_.end(),
                     [](const Hypothesis& a, const Hypothesis& b) {
                       return a.share != b.share ? a.share > b.share : a.score > b.score;
                     });
    Confidence();
    findings_.hypotheses = std::move(hypotheses_);
    findings_.consequences = std::move(consequences_);
  }

 private:
  void Add(Which which, double weight, std::string text, Basis basis,
           std::vector<Citation> from = {}) {
    hypotheses_[which].evidence.emplace_back(weight,
                                             Statement{std::move(text), basis, std::move(from)});
  }

  Course CourseOf(const Gauge* gauge) {
    Course course;
    if (!gauge) return course;
    course.gauge = gauge;
    const Points points = context_.points(*gauge);
    course.source = context_.evidence.series()[gauge->series].source;
    const auto level = [&](Instant from, Instant to) -> std::optional<double> {
      const Points part = Between(points, from, to);
      if (part.empty()) return std::nullopt;
      return MedianOf(part);
    };
    course.before = level(onset_ - minutes(20), onset_ - minutes(5));
    if (!course.before) course.before = level(onset_ - minutes(60), onset_);
    if (const Point* held = HeldAt(points, onset_, gauge->interval))
      course.at = held->value, course.line = held->line;
    double highest = -1;
    for (const Point& point : Between(points, onset_ - minutes(15), onset_ + minutes(20))) {
      const auto value = static_cast<double>(point.value);
      if (point.at >= onset_) highest = std::max(highest, value);
      const double base = course.before.value_or(value);
      const double much = std::max(0.05 * base, gauge->total ? 0.03 * *gauge->total : 50e6);
      if (!course.rise && value > base + much) course.rise = point.at;
    }
    if (highest >= 0) course.after = highest;
    return course;
  }

  void Codes() {
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
  void Kills() {
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
  void Figures() {
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
    const bool fragmented =
        unused && tried && *unused >= *tried && total && *unused > 0.03 * *total;
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
      std::string text = fmt::format("it failed {} after a model began to load",
                                     FormatLength(first->at - load->at));
      if (const auto required = context_.Figure(Metric::kVramRequired, load->from))
        text += fmt::format(", which needs {:.1f} GiB in all", *required / 1073741824);
      Add(kTooLarge, 4, std::move(text), Basis::kDerived, {load->from, first->from});
    }
  }

  void Sleep() {
    const Event* suspend =
        context_.Last(EventKind::kSuspend, onset_ - std::chrono::hours(12), onset_);
    const Event* resume =
        context_.Last(EventKind::kResume, onset_ - std::chrono::hours(12), onset_);
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

  void Resets() {
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

  void Heat() {
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

  void GpuMemory() {
    if (!vram_.gauge) return;
    const Gauge& gauge = *vram_.gauge;
    const Citation from{vram_.source, vram_.line};
    if (vram_.at && gauge.total) {
      const double share = *vram_.at / *gauge.total;
      const std::string text =
          fmt::format("{} of {} ({}) were used when it began", GpuSize(*vram_.at),
                      GpuSize(*gauge.total), context_.Share(gauge, *vram_.at));
      if (share >= 0.95)
        Add(kExhausted, 2, text, Basis::kMeasured, {from});
      else if (share >= 0.85)
        Add(kExhausted, 1, text, Basis::kMeasured, {from});
      else if (share < 0.7)
        Add(kExhausted, -2.5, text, Basis::kMeasured, {from});
      if (share < 0.7) Add(kTooLarge, -2, text, Basis::kMeasured, {from});
      if (share < 0.7) Add(kNeighbour, -1.5, text, Basis::kMeasured, {from});
    }
    if (vram_.before && vram_.after && gauge.total) {
      const double change = *vram_.after - *vram_.before;
      if (std::abs(change) < 0.01 * *gauge.total) {
        Add(kExhausted, -1,
            fmt::format("{} did not move when it began ({} before, at most {} after)", gauge.name,
                        GpuSize(*vram_.before), GpuSize(*vram_.after)),
            Basis::kDerived, {from});
      }
    }
    const double calm = static_cast<double>(Calm().count()) / 3.6e6;
    if (calm > 1) {
      const std::string text =
          fmt::format("the same level had been held for {} without an error", FormatLength(Calm()));
      Add(kExhausted, -0.5, text, Basis::kDerived);
      Add(kTooLarge, -0.5, text, Basis::kDerived);
    }
  }

  void HostMemory() {
    for (const Course* course : {&ram_, &swap_}) {
      if (!course->gauge || !course->rise) continue;
      const bool first = *course->rise < onset_ - Milliseconds(2000);
      const Gauge& gauge = *course->gauge;
      const Citation from{course->source, course->line};
      if (first) {
        Add(kHost, course == &ram_ ? 1 : 1.5,
            fmt::format("{} began to rise {} before the first error", gauge.name,
                        FormatLength(onset_ - *course->rise)),
            Basis::kDerived, {from});
        if (course == &ram_)
          Add(kBacklog, 1, fmt::format("{} rose before the first error", gauge.name),
              Basis::kDerived, {from});
      } else {
        const std::string text = fmt::format("{} began to rise {} after the first error",
                                             gauge.name, FormatLength(*course->rise - onset_));
        Add(kHost, -1.5, text + ": a consequence, not the cause", Basis::kDerived, {from});
        if (course == &ram_) Add(kBacklog, -1, text, Basis::kDerived, {from});
        consequences_.push_back(
            {fmt::format(
                 "{} rose from {} to {}, beginning {} after the first error: the errors filled the "
                 "host's memory (work that waits, copies, retries), not the other way round",
                 gauge.name, context_.Say(gauge, course->before.value_or(gauge.baseline)),
                 context_.Say(gauge, gauge.peak), FormatLength(*course->rise - onset_)),
             Basis::kInferred,
             {gauge.peak_from}});
      }
    }
    for (const Series& series : context_.evidence.series()) {
      if (series.metric == Metric::kPsiFull) {
        for (const Point& point : Between(series.points, onset_ - minutes(5), onset_)) {
          if (point.value < 20) continue;
          Add(kHost, 2,
              fmt::format("pressure: everything stood still for {:.0f} % of ten seconds before the "
                          "first error",
                          static_cast<double>(point.value)),
              Basis::kMeasured, {{series.source, point.line}});
          break;
        }
      }
      if (series.metric == Metric::kHostAvailable) {
        const Points before =
            Between(series.points, onset_ - minutes(15), onset_ + Milliseconds(1000));
        double lowest = 1e18, total = 0;
        std::uint32_t line = 0;
        for (const Point& point : before)
          if (static_cast<double>(point.value) < lowest)
            lowest = static_cast<double>(point.value), line = point.line;
        for (const Series& other : context_.evidence.series())
          if (other.metric == Metric::kHostTotal && !other.points.empty())
            total = static_cast<double>(other.points.back().value);
        if (!before.empty() && total > 0 && lowest < 0.05 * total)
          Add(kHost, 2,
              fmt::format("only {} of the host's {} were available", Size(lowest), Size(total)),
              Basis::kMeasured, {{series.source, line}});
      }
      if (series.metric == Metric::kQueueSeconds) {
        const Points before = Between(series.points, onset_ - minutes(5), onset_);
        if (!before.empty() && before.back().value > 30)
          Add(kBacklog, 2.5,
              fmt::format("{:.0f} s of work were waiting before the first error",
                          static_cast<double>(before.back().value)),
              Basis::kMeasured, {{series.source, before.back().line}});
      }
    }
  }

  void Others() {
    const Gauge* gauge = vram_.gauge;
    if (!gauge || !gauge->total) return;
    const std::string& device = context_.evidence.series()[gauge->series].device;
    bool known = false;
    double largest = 0;
    const Series* who = nullptr;
    for (const Series& series : context_.evidence.series()) {
      if (series.metric != Metric::kVramUsed || series.device != device || series.owner.empty())
        continue;
      known = true;
      if (series.owner == "service" ||
          (!findings_.unit.empty() && findings_.unit.starts_with(series.owner)) ||
          IsService(series))
        continue;
      const Points before =
          Between(series.points, onset_ - std::chrono::hours(12), onset_ - minutes(5));
      const Points at = Between(series.points, onset_ - minutes(5), onset_ + minutes(1));
      if (at.empty()) continue;
      double top = 0;
      for (const Point& point : at) top = std::max(top, static_cast<double>(point.value));
      // From its level when the record, or the last half day, began; a program that came later had
      // none.
      const bool late = before.empty() || before.front().at > findings_.from + minutes(5);
      const double growth =
          top - (late ? 0 : MedianOf(before.first(std::max<std::size_t>(1, before.size() / 20))));
      if (growth > largest) largest = growth, who = &series;
    }
    if (who && largest > 0.05 * *gauge->total) {
      const double weight = largest > 0.15 * *gauge->total ? 3 : 1.5;
      Add(kNeighbour, weight,
          fmt::format("{} took {} more of the GPU before it", who->owner, GpuSize(largest)),
          Basis::kMeasured, {{who->source, who->points.front().line}});
      Add(kTooLarge, -1, "it was another program that filled the GPU", Basis::kInferred);
    } else if (known) {
      Add(kNeighbour, -2, "no other program's memory on the GPU grew before it", Basis::kMeasured);
    }
  }

  // The owner that holds the most at the baseline is the service.
  bool IsService(const Series& series) const {
    if (series.owner == "others") return false;
    for (const Series& other : context_.evidence.series()) {
      if (other.metric == Metric::kVramUsed && other.device == series.device &&
          !other.owner.empty() && !other.points.empty() && !series.points.empty() &&
          other.points.front().value > series.points.front().value)
        return false;
    }
    return true;
  }

  void Leaks() {
    bool judged = false;
    for (const LeakFinding& leak : findings_.leaks) {
      if (leak.verdict == LeakVerdict::kTooShort) continue;
      judged = true;
      if (leak.verdict != LeakVerdict::kLeak || !leak.owner.empty()) continue;
      const Gauge& gauge = findings_.gauges[leak.gauge];
      const double weight = gauge.kind == GaugeKind::kVram ? 3.5 : 2;
      Add(kLeak, weight, leak.statement.text, Basis::kDerived, leak.statement.from);
      if (gauge.kind == GaugeKind::kVram)
        Add(kTooLarge, -2, "the level grew, so it was not the model's size", Basis::kInferred);
      if (gauge.kind == GaugeKind::kRam)
        Add(kHost, 0.5, "the host's memory leaked", Basis::kDerived);
      return;
    }
    if (judged)
      Add(kLeak, -3, "no gauge grew in any calm phase that is long enough for a verdict",
          Basis::kDerived);
  }

  void Work() {
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

  void Model() {
    if (!findings_.model) return;
    const memory::Fit fit = findings_.model->fit.fit;
    if (fit == memory::Fit::kUnsafe)
      Add(kTooLarge, 1.5, findings_.model->statement.text, Basis::kDerived,
          findings_.model->statement.from);
    if (fit == memory::Fit::kSafe)
      Add(kTooLarge, -2.5, findings_.model->statement.text, Basis::kDerived,
          findings_.model->statement.from);
  }

  // "Used up" is what happens; where the record shows by whom, that is the cause.
  void Explained() {
    if (memory_ == 0) return;
    for (const Which which : {kNeighbour, kLeak}) {
      double score = 0;
      for (const auto& [weight, statement] : hypotheses_[which].evidence) score += weight;
      if (score < 1) continue;
      Add(which, 2, "the GPU was then used up, as this explains", Basis::kInferred);
      Add(kExhausted, -3, fmt::format("what used it up is known: {}", kAbout[which].title),
          Basis::kInferred);
      return;
    }
  }

  // The longest calm phase before the onset.
  Milliseconds Calm() const {
    Milliseconds calm{};
    for (const Phase& phase : findings_.phases) {
      if (phase.kind == PhaseKind::kSteady && phase.from < onset_)
        calm = std::max(calm, std::min(onset_, phase.to) - phase.from);
    }
    return calm;
  }

  Citation FirstError() const {
    return findings_.bursts.empty() ? Citation{} : findings_.bursts.front().first_from;
  }

  void Confidence() {
    std::vector<std::string> missing;
    const auto need = [&](bool there, const char* what) {
      if (!there) missing.emplace_back(what);
    };
    bool owners = false;
    for (const Series& series : context_.evidence.series())
      owners = owners || (series.metric == Metric::kVramUsed && !series.owner.empty());
    need(vram_.gauge != nullptr, "device memory");
    need(ram_.gauge != nullptr, "host memory");
    need(context_.kernel_covered(), "the kernel's lines");
    need(findings_.errors > 0, "the program's errors");
    need(owners, "memory of each program on the GPU");
    const double coverage = 1 - static_cast<double>(missing.size()) / 5;
    const Hypothesis& best = hypotheses_.front();
    findings_.confidence = best.share * (0.5 + 0.5 * coverage);
    std::string because = fmt::format(
        "{:.0f} % of belief for the first of {} explanations and \"something else\", times {:.2f} "
        "because {} of 5 kinds of evidence are there",
        100 * best.share, hypotheses_.size(), 0.5 + 0.5 * coverage, 5 - missing.size());
    for (std::size_t i = 0; i < missing.size(); ++i)
      because += (i == 0 ? "; missing: " : ", ") + missing[i];
    findings_.confidence_because = std::move(because);
  }

  Context& context_;
  Findings& findings_;
  const Instant onset_;
  Course vram_, ram_, swap_;
  std::uint64_t memory_ = 0;  // errors of refused allocations
  std::vector<Hypothesis> hypotheses_;
  std::vector<Statement> consequences_;
};

}  // namespace

void FindCauses(Context& context) {
  if (!context.findings.onset) {
    // A leak or a full gauge without an error: what would fail next is a matter of risk, not cause.
    return;
  }
  Causes causes(context);
  causes.Weigh();
  causes.Finish();
}

}  // namespace headroom::analyze
