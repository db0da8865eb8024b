// Which parts of a sample are worth a row: dead-band, heartbeat, and a limit on bytes a day. Pure;
// time is that of the samples. One thread at a time.
//
// A part (host, service, one GPU, one process) is kept when a number of it moved by more than its
// band since it was last kept, when a zone, tier or state changed, or when its heartbeat is due. So
// between two rows the truth is within the band, and a missing heartbeat is a gap.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "observe/record/record.h"

namespace headroom::record {

/// So many bytes a day, saved up to `capacity`.
class Allowance {
 public:
  Allowance(double bytes_per_day, double capacity)
      : per_day_(bytes_per_day), capacity_(capacity), left_(capacity) {}
  double Left(MonoTime now);
  void Take(double bytes) { left_ -= bytes; }

 private:
  double per_day_, capacity_, left_;
  std::optional<MonoTime> at_;
};

struct ThinOptions {
  Milliseconds beat{10'000};       // of the host part: the whole record's heartbeat
  Milliseconds part_beat{60'000};  // of the others
  Milliseconds slowest{5'000};     // between samples; beat + slowest is when a row is due
  double bands = 1;                // 0: every change is kept
  double bytes_per_day = 5e6;      // beyond it only heartbeats are kept
  double burst = 256e3;
};

/// Which process, over all samples of a run.
using ProcessKey = std::pair<std::string, pid_t>;  // role, pid

/// The parts of one sample that are to be written.
struct Rows {
  Moment at;
  Milliseconds due{0};  // with `host`: when its next row comes at the latest
  std::optional<HostSample> host;
  std::optional<ServiceSample> service;
  std::vector<GpuSample> gpus;
  std::vector<ProcessSample> processes;
  std::vector<std::string> gone_gpus;  // were in the sample before, and are not in this one
  std::vector<ProcessKey> gone_processes;
  bool empty() const;
  /// What they take in the file, roughly.
  double bytes() const;
};

class Thinner {
 public:
  explicit Thinner(ThinOptions options = {})
      : options_(options), allowance_(options.bytes_per_day, options.burst) {}

  Rows Push(const Sample& sample);

 private:
  template <class T>
  struct Last {
    T value;
    MonoTime at{};
    bool seen = false;  // in the sample that is being looked at
  };
  template <class T>
  bool Keep(const T& now, std::optional<Last<T>>& last, MonoTime at, Milliseconds beat);

  ThinOptions options_;
  Allowance allowance_;
  double left_ = 0;
  std::optional<MonoTime> pushed_;
  std::optional<Last<HostSample>> host_;
  std::optional<Last<ServiceSample>> service_;
  std::map<std::string, std::optional<Last<GpuSample>>> gpus_;
  std::map<ProcessKey, std::optional<Last<ProcessSample>>> processes_;
};

}  // namespace headroom::record
