// Competing explanations, each scored by a sum of weights from the evidence for and against it.
// The weights are judgements; docs/report.md has the table. Private to src/observe/analyze.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "observe/analyze/passes.h"

namespace headroom::analyze {

// A gauge's course around the onset.
struct Course {
  const Gauge* gauge = nullptr;
  std::optional<double> before, at, after;  // ten minutes before, at the onset, highest after it
  std::uint32_t source = 0, line = 0;
  std::optional<Instant> rise;  // the first reading a twentieth above that before
};

class Causes {
 public:
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

  explicit Causes(Context& context);

  void Weigh();
  void Finish();

 private:
  void Add(Which which, double weight, std::string text, Basis basis,
           std::vector<Citation> from = {});
  Course CourseOf(const Gauge* gauge) const;

  // What lines of logs say: causes_events.cc.
  void Codes();
  void Kills();    // who was killed, by whom, how large it was and which limit was reached
  void Figures();  // what the line of the first refused allocation says
  void Sleep();
  void Resets();
  void Heat();
  void Work();
  Citation FirstError() const;

  // What the gauges and the earlier passes say: causes_memory.cc.
  void GpuMemory();
  void HostMemory();
  void Others();
  bool IsService(const Series& series) const;
  void Leaks();
  void Model();
  Milliseconds Calm() const;  // the longest calm phase before the onset

  void Explained();
  void Confidence();

  Context& context_;
  Findings& findings_;
  const Instant onset_;
  Course vram_, ram_, swap_;
  std::uint64_t memory_ = 0;  // errors of refused allocations
  std::vector<Hypothesis> hypotheses_;
  std::vector<Statement> consequences_;
};

}  // namespace headroom::analyze
