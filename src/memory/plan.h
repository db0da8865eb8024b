// What one (model, quantisation, device) needs, in bytes, known before the first byte is allocated.
// Pure numbers: the counting simulated card, a calibration or a header provides them.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"

namespace headroom::memory {

enum class DeviceKind {
  kDiscrete,  // memory of its own; the host's is planned separately
  kUnified,   // an integrated GPU: its memory is the host's
  kCpu,
};
std::string_view Name(DeviceKind kind);

/// What one run takes: at most `chunk` of audio, of one utterance or of a plan's batch of them.
struct RunSize {
  template <class Rep, class Period>
  RunSize(std::chrono::duration<Rep, Period> longest, bool several = false)
      : chunk(longest), batched(several) {}
  Milliseconds chunk;
  bool batched;
};

/// Device bytes a run of at most `chunk` of audio needs besides what is resident.
struct Workspace {
  Milliseconds chunk{};
  Bytes bytes;
};

struct Need {
  Bytes bytes;
  bool extrapolated = false;  // longer than anything that was counted
};

struct Plan {
  std::string model;         // "canary-1b-flash"
  std::string quantisation;  // "Q8_0"
  std::string device;        // "CUDA0"; for people, not compared
  DeviceKind kind = DeviceKind::kDiscrete;

  Bytes weights, kv;
  std::vector<Workspace> workspace;  // by ascending chunk, never empty in a valid plan
  Bytes driver;        // context, libraries, pools: calibrated once per GPU and driver
  Bytes margin;        // on top of a calibration, for what varies between runs
  Bytes host;          // host memory of the worker besides all of the above
  bool exact = false;  // counted for this very device; else estimated

  int batch = 1;                        // utterances that one run may take
  std::vector<Workspace> batched = {};  // the workspace of so many at once; empty with one

  /// "canary-1b-flash Q8_0 on CUDA0"
  std::string Title() const;
  /// Bytes held in the device's memory while ready. On unified and CPU devices the host bytes come
  /// out of the same memory and are counted.
  Bytes Resident() const;
  /// The next larger counted chunk's bytes; beyond the largest a straight line through the last
  /// two.
  Need WorkspaceFor(RunSize size) const;
  /// Resident and workspace: what is held while ready, because the workspace is taken in advance.
  Need Peak(RunSize size) const;
  /// Host memory this worker takes: `host`, or everything where the device has none of its own.
  Bytes HostPeak(RunSize size) const;
};

/// kInvalid unless the numbers are not negative, below 1 PiB, and the workspace table is not empty
/// and ascends in both columns, as does that of the batch, if there is one.
Result<> Validate(const Plan& plan);

}  // namespace headroom::memory
