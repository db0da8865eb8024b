#include "observe/analyze/causes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace headroom::analyze {
namespace {

using std::chrono::minutes;

struct About {
  const char* id;
  const char* title;
  const char* decide;
};
constexpr std::array<About, Causes::kWhiches> kAbout = {{
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

// Weights are judgements: divided by this, six points of difference are 55 to 1 and not 400 to 1.
constexpr double kCaution = 1.5;

}  // namespace

Causes::Causes(Context& context)
    : context_(context), findings_(context.findings), onset_(*context.findings.onset) {
  for (const About& about : kAbout) {
    Hypothesis& hypothesis = hypotheses_.emplace_back();
    hypothesis.id = about.id;
    hypothesis.title = about.title;
    hypothesis.decide = about.decide;
  }
}

void Causes::Weigh() {
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

void Causes::Finish() {
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

void Causes::Add(Which which, double weight, std::string text, Basis basis,
                 std::vector<Citation> from) {
  hypotheses_[which].evidence.emplace_back(weight,
                                           Statement{std::move(text), basis, std::move(from)});
}

Course Causes::CourseOf(const Gauge* gauge) const {
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

// "Used up" is what happens; where the record shows by whom, that is the cause.
void Causes::Explained() {
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

void Causes::Confidence() {
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

void FindCauses(Context& context) {
  // A leak or a full gauge without an error: what would fail next is a matter of risk, not cause.
  if (!context.findings.onset) return;
  Causes causes(context);
  causes.Weigh();
  causes.Finish();
}

}  // namespace headroom::analyze
