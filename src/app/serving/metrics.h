// The service's numbers as Prometheus text.
// https://prometheus.io/docs/instrumenting/exposition_formats
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "app/dictation/utterance_pipeline.h"
#include "asr/scheduler/utterance.h"
#include "base/clock.h"

namespace headroom::app {

/// Latencies in fixed buckets. Any thread.
class Histogram {
 public:
  static constexpr std::array<double, 12> kBounds{0.05, 0.1, 0.2, 0.35, 0.5, 0.75,
                                                  1,    1.5, 2.5, 5,    10,  30};  // seconds

  void Observe(Milliseconds value);
  /// name_bucket, name_sum and name_count; `labels` such as `source="stream"`, or "".
  std::string Text(const std::string& name, const std::string& labels) const;

 private:
  mutable std::mutex mutex_;
  std::array<std::uint64_t, kBounds.size() + 1> counts_{};  // guarded by mutex_
  double sum_ = 0;
};

/// What is counted as it happens. Any thread.
class Tally {
 public:
  /// outcome: "text", "empty", "phantom", "undelivered", "failed"; source: "dictation", "stream",
  /// "file".
  void Utterance(const std::string& source, const std::string& outcome);
  /// By class: "no_memory", "worker_lost", … (base/error.h's names).
  void Error(const std::string& code);
  std::string Text() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> utterances_;  // guarded by mutex_
  std::map<std::string, std::uint64_t> errors_;                              // the same
};

struct MetricsOf {
  asr::SchedulerStatus scheduler;
  memory::Thresholds thresholds;
  PipelineStatus dictation;
  Milliseconds queue{};     // of everybody
  std::size_t waiting = 0;  // utterances of everybody
  std::size_t jobs = 0, streams = 0;
  Milliseconds uptime{};
};
/// Everything but the histograms and tallies.
std::string MetricsText(const MetricsOf& of);

}  // namespace headroom::app
