#include "app/serving/metrics.h"

#include <algorithm>
#include <cmath>

#include "memory/zones.h"

namespace headroom::app {
namespace {

double Seconds(Milliseconds time) {
  return static_cast<double>(time.count()) / 1000;
}

// Where the zones begin, in bytes of the device as it is.
void WriteThresholds(net::PrometheusText& page, const memory::Thresholds& thresholds,
                     const memory::Sample& sample) {
  page.Begin("zone_border_bytes", "gauge", "Where the zones of a gauge begin.");
  const auto gauge = [&page](memory::Gauge which, Bytes warning, Bytes danger, Bytes critical) {
    for (const auto& [zone, threshold] :
         {std::pair(memory::Zone::kWarning, warning), std::pair(memory::Zone::kDanger, danger),
          std::pair(memory::Zone::kCritical, critical)})
      page.Value({{"gauge", memory::Name(which)}, {"zone", memory::Name(zone)}}, threshold.n);
  };
  if (sample.vram_total) {
    const auto share = [&sample](double percent) {
      return Bytes(std::llround(static_cast<double>(sample.vram_total->n) * percent / 100));
    };
    const auto& vram = thresholds.vram;
    gauge(memory::Gauge::kVram, share(vram.warning), share(vram.danger), share(vram.critical));
  }
  const auto ram = memory::RamThresholds(thresholds, sample.memory_high, sample.host_total);
  gauge(memory::Gauge::kRam, ram.warning, ram.danger, ram.critical);
  const auto& swap = thresholds.swap;
  gauge(memory::Gauge::kSwap, swap.warning, swap.danger, swap.critical);
}

}  // namespace

void Histogram::Observe(Milliseconds value) {
  const double seconds = Seconds(value);
  const auto bucket =
      static_cast<std::size_t>(std::ranges::lower_bound(kBounds, seconds) - kBounds.begin());
  const MutexLock lock(mutex_);
  ++counts_[bucket];
  sum_ += seconds;
}

void Histogram::Write(net::PrometheusText& page, std::string_view source) const {
  const MutexLock lock(mutex_);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    below += counts_[i];
    page.Value({{"source", source}, {"le", fmt::to_string(kBounds[i])}}, below, "_bucket");
  }
  below += counts_.back();
  page.Value({{"source", source}, {"le", "+Inf"}}, below, "_bucket");
  page.Value({{"source", source}}, sum_, "_sum");
  page.Value({{"source", source}}, below, "_count");
}

void Tally::Utterance(const std::string& source, const std::string& outcome) {
  const MutexLock lock(mutex_);
  ++utterances_[{source, outcome}];
}

void Tally::Error(const std::string& code) {
  const MutexLock lock(mutex_);
  ++errors_[code];
}

void Tally::Write(net::PrometheusText& page) const {
  const MutexLock lock(mutex_);
  page.Begin("utterances_total", "counter", "Utterances by source and outcome.");
  for (const auto& [what, count] : utterances_)
    page.Value({{"source", what.first}, {"outcome", what.second}}, count);
  page.Begin("errors_total", "counter", "Errors by class.");
  for (const auto& [code, count] : errors_) page.Value({{"class", code}}, count);
}

void WriteMetrics(net::PrometheusText& page, const MetricsOf& of) {
  const asr::SchedulerStatus& s = of.scheduler;
  page.Begin("zone", "gauge", "0 safe, 1 warning, 2 danger, 3 critical.");
  for (std::size_t i = 0; i < s.zones.size(); ++i)
    page.Value({{"gauge", memory::Name(static_cast<memory::Gauge>(i))}},
               static_cast<int>(s.zones[i]));
  page.Begin("memory_bytes", "gauge", "Memory by kind and owner.");
  const auto bytes = [&page](const char* kind, const char* owner, std::optional<Bytes> value) {
    if (value) page.Value({{"kind", kind}, {"owner", owner}}, value->n);
  };
  bytes("ram", "headroom", s.sample.ram);
  bytes("ram", "free", s.sample.ram_available);
  if (s.sample.ram && s.sample.ram_available && s.sample.host_total)
    bytes("ram", "others",
          std::max(Bytes(0), *s.sample.host_total - *s.sample.ram_available - *s.sample.ram));
  bytes("swap", "headroom", s.sample.swap);
  bytes("vram", "headroom", s.sample.vram_ours);
  if (s.sample.vram_used) {
    if (s.sample.vram_ours)
      bytes("vram", "others", std::max(Bytes(0), *s.sample.vram_used - *s.sample.vram_ours));
    if (s.sample.vram_total) bytes("vram", "free", *s.sample.vram_total - *s.sample.vram_used);
  }
  WriteThresholds(page, of.thresholds, s.sample);
  page.Begin("tier", "gauge", "1 for the tier that decodes now.");
  for (const asr::TierStatus& tier : s.tiers)
    page.Value({{"tier", tier.title}, {"state", tier.state}}, tier.title == s.tier_title ? 1 : 0);
  page.Gauge("decoding_paused", "1 while memory is too short to decode.", s.paused ? 1 : 0);
  page.Gauge("queue_seconds", "Speech that waits for its text.", Seconds(of.queue));
  page.Gauge("queue_utterances", "Utterances that wait for their text.", of.waiting);
  page.Gauge("undelivered_utterances", "Dictated utterances that have not arrived.",
             of.dictation.waiting);
  if (of.dictation.spooled)
    page.Gauge("spool_free_seconds", "Speech that still fits into the spool.",
               Seconds(of.dictation.room));
  page.Gauge("jobs", "Recordings being recognised.", of.jobs);
  page.Gauge("streams", "Live streams with a client.", of.streams);
  page.Counter("loads_total", "Models that were loaded.", s.counts.loads);
  page.Counter("runs_total",
               "Runs of a model; one may decode several utterances, or a part of one.",
               s.counts.runs);
  page.Counter("worker_failures_total", "Workers that failed.", s.counts.worker_failures);
  page.Counter("device_allocations_total",
               "Allocations on the device while speech was decoded; to stay 0.",
               s.counts.device_allocations);
  page.Begin("speculations_total", "counter",
             "Decodings before the end of an utterance, by what became of them.");
  page.Value({{"outcome", "adopted"}}, s.counts.adopted);
  page.Value({{"outcome", "dropped"}}, s.counts.dropped);
  page.Gauge("uptime_seconds", "Since the service began.", Seconds(of.uptime));
}

}  // namespace headroom::app
