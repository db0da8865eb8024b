#include "app/serving/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "memory/zones.h"

namespace headroom::app {
namespace {

double Seconds(Milliseconds time) {
  return static_cast<double>(time.count()) / 1000;
}

// A label's value: backslash, quote and line end escaped.
std::string Label(const std::string& value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text;
}

class Page {
 public:
  void Head(const std::string& name, const char* type, const char* help) {
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  template <class Value>
  void Line(const std::string& name, const std::string& labels, Value value) {
    text_ += fmt::format("{}{} {}\n", name, labels.empty() ? "" : "{" + labels + "}", value);
  }
  template <class Value>
  void One(const std::string& name, const char* type, const char* help, Value value) {
    Head(name, type, help);
    Line(name, "", value);
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

// Where the zones begin, in bytes of the device as it is.
void Thresholds(Page& page, const memory::Thresholds& thresholds, const memory::Sample& sample) {
  page.Head("headroom_zone_border_bytes", "gauge", "Where the zones of a gauge begin.");
  const auto gauge = [&page](memory::Gauge which, Bytes warning, Bytes danger, Bytes critical) {
    for (const auto& [zone, threshold] :
         {std::pair(memory::Zone::kWarning, warning), std::pair(memory::Zone::kDanger, danger),
          std::pair(memory::Zone::kCritical, critical)})
      page.Line("headroom_zone_border_bytes",
                fmt::format("gauge=\"{}\",zone=\"{}\"", memory::Name(which), memory::Name(zone)),
                threshold.n);
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
  const std::lock_guard lock(mutex_);
  ++counts_[bucket];
  sum_ += seconds;
}

std::string Histogram::Text(const std::string& name, const std::string& labels) const {
  const std::lock_guard lock(mutex_);
  const std::string more = labels.empty() ? "" : labels + ",";
  const std::string alone = labels.empty() ? "" : "{" + labels + "}";
  std::string text;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    below += counts_[i];
    text += fmt::format("{}_bucket{{{}le=\"{}\"}} {}\n", name, more, kBounds[i], below);
  }
  below += counts_.back();
  text += fmt::format("{}_bucket{{{}le=\"+Inf\"}} {}\n", name, more, below);
  text += fmt::format("{}_sum{} {}\n{}_count{} {}\n", name, alone, sum_, name, alone, below);
  return text;
}

void Tally::Utterance(const std::string& source, const std::string& outcome) {
  const std::lock_guard lock(mutex_);
  ++utterances_[{source, outcome}];
}

void Tally::Error(const std::string& code) {
  const std::lock_guard lock(mutex_);
  ++errors_[code];
}

std::string Tally::Text() const {
  Page page;
  const std::lock_guard lock(mutex_);
  page.Head("headroom_utterances_total", "counter", "Utterances by source and outcome.");
  for (const auto& [what, count] : utterances_)
    page.Line("headroom_utterances_total",
              fmt::format("source=\"{}\",outcome=\"{}\"", Label(what.first), Label(what.second)),
              count);
  page.Head("headroom_errors_total", "counter", "Errors by class.");
  for (const auto& [code, count] : errors_)
    page.Line("headroom_errors_total", fmt::format("class=\"{}\"", Label(code)), count);
  return std::move(page).text();
}

std::string MetricsText(const MetricsOf& of) {
  Page page;
  const asr::SchedulerStatus& s = of.scheduler;
  page.Head("headroom_zone", "gauge", "0 safe, 1 warning, 2 danger, 3 critical.");
  for (std::size_t i = 0; i < s.zones.size(); ++i)
    page.Line("headroom_zone",
              fmt::format("gauge=\"{}\"", memory::Name(static_cast<memory::Gauge>(i))),
              static_cast<int>(s.zones[i]));
  page.Head("headroom_memory_bytes", "gauge", "Memory by kind and owner.");
  const auto bytes = [&page](const char* kind, const char* owner, std::optional<Bytes> value) {
    if (value)
      page.Line("headroom_memory_bytes", fmt::format("kind=\"{}\",owner=\"{}\"", kind, owner),
                value->n);
  };
  bytes("ram", "headroom", s.sample.ram);
  bytes("ram", "free", s.sample.ram_available);
  if (s.sample.ram && s.sample.ram_available && s.sample.host_total)
    bytes("ram", "others",
          std::max(Bytes(0), *s.sample.host_total - *s.sample.ram_available - *s.sample.ram));
  bytes("swap", "headroom", s.sample.swap);
  bytes("vram", "headroom", s.sample.vram_ours);
  if (s.sample.vram_used) {
    const Bytes ours = s.sample.vram_ours.value_or(Bytes(0));
    bytes("vram", "others", std::max(Bytes(0), *s.sample.vram_used - ours));
    if (s.sample.vram_total) bytes("vram", "free", *s.sample.vram_total - *s.sample.vram_used);
  }
  Thresholds(page, of.thresholds, s.sample);
  page.Head("headroom_tier", "gauge", "1 for the tier that decodes now.");
  for (const asr::TierStatus& tier : s.tiers)
    page.Line("headroom_tier",
              fmt::format("tier=\"{}\",state=\"{}\"", Label(tier.title), Label(tier.state)),
              tier.title == s.tier_title ? 1 : 0);
  page.One("headroom_decoding_paused", "gauge", "1 while memory is too short to decode.",
           s.paused ? 1 : 0);
  page.One("headroom_queue_seconds", "gauge", "Speech that waits for its text.", Seconds(of.queue));
  page.One("headroom_queue_utterances", "gauge", "Utterances that wait for their text.",
           of.waiting);
  page.One("headroom_undelivered_utterances", "gauge", "Dictated utterances that have not arrived.",
           of.dictation.waiting);
  page.One("headroom_spool_free_seconds", "gauge", "Speech that still fits into the spool.",
           Seconds(of.dictation.room));
  page.One("headroom_jobs", "gauge", "Recordings being recognised.", of.jobs);
  page.One("headroom_streams", "gauge", "Live streams with a client.", of.streams);
  page.One("headroom_loads_total", "counter", "Models that were loaded.", s.counts.loads);
  page.One("headroom_runs_total", "counter",
           "Runs of a model; one may decode several utterances, or a part of one.", s.counts.runs);
  page.One("headroom_worker_failures_total", "counter", "Workers that failed.",
           s.counts.worker_failures);
  page.One("headroom_device_allocations_total", "counter",
           "Allocations on the device while speech was decoded; to stay 0.",
           s.counts.device_allocations);
  page.Head("headroom_speculations_total", "counter",
            "Decodings before the end of an utterance, by what became of them.");
  page.Line("headroom_speculations_total", "outcome=\"adopted\"", s.counts.adopted);
  page.Line("headroom_speculations_total", "outcome=\"dropped\"", s.counts.dropped);
  page.One("headroom_uptime_seconds", "gauge", "Since the service began.", Seconds(of.uptime));
  return std::move(page).text();
}

}  // namespace headroom::app
