#include "observe/record/thin.h"

#include <algorithm>
#include <cmath>

namespace headroom::record {
namespace {

// Measured on files of real recordings; see bench/record.
constexpr double kHostRow = 46, kServiceRow = 62, kGpuRow = 42, kProcessRow = 46;

enum class Move { kNone, kSome, kEdge };  // kEdge: a state changed; kept even when bytes run short

template <class T>
Move Changed(const T& a, const T& b) {
  return a == b ? Move::kNone : Move::kEdge;
}

Move Moved(std::optional<Bytes> a, std::optional<Bytes> b, double band) {
  if (a.has_value() != b.has_value()) return Move::kSome;
  if (!a || *a == *b) return Move::kNone;
  const auto distance = std::abs(static_cast<double>(a->n) - static_cast<double>(b->n));
  return distance > band ? Move::kSome : Move::kNone;
}
Move Moved(std::optional<double> a, std::optional<double> b, double band) {
  if (a.has_value() != b.has_value()) return Move::kSome;
  return a && std::abs(*a - *b) > band ? Move::kSome : Move::kNone;
}

// The larger of a number of bytes and a share of `of`.
double Band(Bytes least, double share, std::optional<Bytes> of) {
  return std::max(static_cast<double>(least.n), of ? share * static_cast<double>(of->n) : 0.0);
}

Move Compare(const HostSample& a, const HostSample& b, double bands) {
  return std::max({Changed(a.total, b.total), Changed(a.swap_total, b.swap_total),
                   Moved(a.available, b.available, bands * Band(MiB(16), 0.005, b.total)),
                   Moved(a.swap_used, b.swap_used, bands * Band(MiB(4), 0.002, b.swap_total)),
                   Moved(a.psi_some, b.psi_some, bands * 2.0),
                   Moved(a.psi_full, b.psi_full, bands * 1.0)});
}

Move Compare(const ServiceSample& a, const ServiceSample& b, double bands) {
  const auto seconds = [](const ServiceSample& s) {
    return s.queue ? std::optional(std::chrono::duration<double>(*s.queue).count()) : std::nullopt;
  };
  return std::max(
      {Changed(a.zones, b.zones), Changed(a.tier, b.tier), Changed(a.oom_kills, b.oom_kills),
       Changed(a.cgroup_high, b.cgroup_high), Changed(a.cgroup_max, b.cgroup_max),
       Moved(a.ram, b.ram, bands * Band(MiB(1), 0.01, b.ram)),
       Moved(a.swap, b.swap, bands * Band(MiB(1), 0.01, b.swap)),
       // Page cache is in it, so it is noisier.
       Moved(a.cgroup_current, b.cgroup_current, bands * Band(MiB(8), 0.02, b.cgroup_current)),
       Moved(a.cgroup_swap, b.cgroup_swap, bands * Band(MiB(1), 0.01, b.cgroup_swap)),
       Moved(a.room, b.room, bands * Band(MiB(16), 0.02, b.room)),
       Moved(a.psi_full, b.psi_full, bands * 1.0), Moved(seconds(a), seconds(b), bands * 0.5)});
}

Move Compare(const GpuSample& a, const GpuSample& b, double bands) {
  const double band = bands * Band(MiB(2), 1.0 / 1024, b.total);
  return std::max({Changed(a.state, b.state), Changed(a.total, b.total),
                   Moved(a.used, b.used, band), Moved(a.own, b.own, band)});
}

Move Compare(const ProcessSample& a, const ProcessSample& b, double bands) {
  const double band = bands * Band(MiB(1), 0.01, b.counted);
  return std::max({Moved(a.rss, b.rss, bands * Band(MiB(2), 0.02, b.rss)),
                   Moved(a.counted, b.counted, band), Moved(a.swap, b.swap, band),
                   // Not at every sample; its absence is no change.
                   b.pss ? Moved(a.pss, b.pss, bands * Band(MiB(1), 0.02, b.pss)) : Move::kNone,
                   Moved(a.gpu, b.gpu, bands * static_cast<double>(MiB(2).n))});
}

// PSS is read every ten seconds only; in between the last one still is the best there is.
HostSample Merged(const HostSample&, const HostSample& now) {
  return now;
}
ServiceSample Merged(const ServiceSample&, const ServiceSample& now) {
  return now;
}
GpuSample Merged(const GpuSample&, const GpuSample& now) {
  return now;
}
ProcessSample Merged(const ProcessSample& last, ProcessSample now) {
  if (!now.pss) now.pss = last.pss;
  return now;
}

double RowBytes(const HostSample&) {
  return kHostRow;
}
double RowBytes(const ServiceSample&) {
  return kServiceRow;
}
double RowBytes(const GpuSample&) {
  return kGpuRow;
}
double RowBytes(const ProcessSample&) {
  return kProcessRow;
}

}  // namespace

double Allowance::Left(MonoTime now) {
  if (at_ && now > *at_) {
    const double days = std::chrono::duration<double>(now - *at_).count() / 86'400;
    left_ = std::min(capacity_, left_ + per_day_ * days);
  }
  at_ = now;
  return left_;
}

bool Rows::empty() const {
  return !host && !service && gpus.empty() && processes.empty() && gone_gpus.empty() &&
         gone_processes.empty();
}

double Rows::bytes() const {
  const auto n = [](const auto& list) { return static_cast<double>(list.size()); };
  return (host ? kHostRow : 0) + (service ? kServiceRow : 0) + kGpuRow * (n(gpus) + n(gone_gpus)) +
         kProcessRow * (n(processes) + n(gone_processes));
}

template <class T>
bool Thinner::Keep(const T& now, std::optional<Last<T>>& last, MonoTime at, Milliseconds beat) {
  if (!last) {
    last = Last<T>{now, at, true};
    return true;
  }
  last->seen = true;
  const Move move = Compare(last->value, now, options_.bands);
  // Edges may use half of what changes have overdrawn, so that a flapping zone has a limit too.
  const bool keep = at - last->at >= beat || (move == Move::kSome && left_ > 0) ||
                    (move == Move::kEdge && left_ > -options_.burst);
  if (!keep) return false;
  last->value = Merged(last->value, now);
  last->at = at;
  left_ -= RowBytes(now);
  return true;
}

Rows Thinner::Push(const Sample& sample) {
  const MonoTime at = sample.at.mono;
  Rows rows;
  rows.at = sample.at;
  // A reader takes a missing heartbeat for a gap and forgets what was before it.
  if (pushed_ && at - *pushed_ > options_.slowest + options_.beat) {
    host_.reset(), service_.reset();
    gpus_.clear(), processes_.clear();
  }
  pushed_ = at;
  left_ = allowance_.Left(at);
  const double before = left_;
  if (Keep(sample.host, host_, at, options_.beat)) {
    rows.host = sample.host;
    rows.due = options_.beat + options_.slowest;
  }
  // Heartbeats of many processes are spread so far that they take half of the day's bytes at most.
  const double all = kServiceRow + kGpuRow * static_cast<double>(sample.gpus.size()) +
                     kProcessRow * static_cast<double>(sample.processes.size());
  const double per_ms = options_.bytes_per_day / 86'400'000 / 2;
  const auto slow = Milliseconds(static_cast<std::int64_t>(std::min(all / per_ms, 3.6e6)));
  const Milliseconds beat = std::max(options_.part_beat, slow);

  if (Keep(sample.service, service_, at, beat)) rows.service = sample.service;
  for (auto& [key, last] : gpus_) last->seen = false;
  for (auto& [key, last] : processes_) last->seen = false;
  for (const GpuSample& gpu : sample.gpus) {
    if (Keep(gpu, gpus_[gpu.gpu], at, beat)) rows.gpus.push_back(gpu);
  }
  for (const ProcessSample& process : sample.processes) {
    auto& last = processes_[{process.role, process.pid}];
    if (Keep(process, last, at, beat)) rows.processes.push_back(last->value);
  }
  std::erase_if(gpus_, [&](const auto& entry) {
    if (!entry.second->seen) rows.gone_gpus.push_back(entry.first);
    return !entry.second->seen;
  });
  std::erase_if(processes_, [&](const auto& entry) {
    if (!entry.second->seen) rows.gone_processes.push_back(entry.first);
    return !entry.second->seen;
  });
  allowance_.Take(before - left_);
  return rows;
}

}  // namespace headroom::record
