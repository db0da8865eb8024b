// The last ten minutes of every sample, in memory. Pure; one thread at a time.
//
// What is the same as before is not stored again, so ten minutes at 10 Hz of a quiet machine take
// some hundred kilobytes; there is a limit in bytes besides, beyond which the oldest go.
#pragma once

#include <deque>
#include <vector>

#include "base/bytes.h"
#include "observe/record/thin.h"

namespace headroom::record {

struct BlackBoxOptions {
  Milliseconds reach{std::chrono::minutes(10)};
  Bytes most = MiB(4);
};

class BlackBox {
 public:
  explicit BlackBox(BlackBoxOptions options = {});

  void Add(const Sample& sample);
  /// What was added since the last Take, oldest first; at most `bytes` of file, the newest.
  std::vector<Rows> Take(double bytes);

  std::size_t size() const { return rows_.size(); }
  Bytes memory() const { return memory_; }  // roughly

 private:
  BlackBoxOptions options_;
  Thinner thinner_;
  std::deque<Rows> rows_;
  Bytes memory_;
};

/// Whether an event is a reason to keep the black box: a zone edge, an error, a worker's death, a
/// line of the kernel's.
bool IsTrigger(const Event& event);

/// Equal events (all but the time and count) within a second become one with their sum as `count`,
/// at the place of the first. Order stays.
std::vector<Event> Coalesce(std::vector<Event> events);

}  // namespace headroom::record
