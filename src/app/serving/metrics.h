// The service's numbers for Prometheus.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "app/dictation/utterance_pipeline.h"
#include "asr/scheduler/utterance.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "net/server/prometheus_text.h"

namespace headroom::app {

/// Latencies in fixed buckets. Any thread.
class Histogram {
 public:
  static constexpr std::array<double, 12> kBounds{0.05, 0.1, 0.2, 0.35, 0.5, 0.75,
                                                  1,    1.5, 2.5, 5,    10,  30};  // seconds

  void Observe(Milliseconds value);
  /// The buckets, their sum and their count, as values of the metric that was begun on `page`.
  void Write(net::PrometheusText& page, std::string_view source) const;

 private:
  mutable Mutex mutex_;
  std::array<std::uint64_t, kBounds.size() + 1> counts_ GUARDED_BY(mutex_){};
  double sum_ GUARDED_BY(mutex_) = 0;
};

/// What is counted as it happens. Any thread.
class Tally {
 public:
  /// outcome: "text", "empty", "phantom", "undelivered", "failed"; source: "dictation", "stream",
  /// "file".
  void Utterance(const std::string& source, const std::string& outcome);
  /// By class: "no_memory", "worker_lost", … (base/error.h's names).
  void Error(const std::string& code);
  void Write(net::PrometheusText& page) const;

 private:
  mutable Mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> utterances_ GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t> errors_ GUARDED_BY(mutex_);
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
void WriteMetrics(net::PrometheusText& page, const MetricsOf& of);

}  // namespace headroom::app
