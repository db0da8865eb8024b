// The simulated card: a ggml device of our own.
//
// Counting, it hands out addresses that nothing lies behind, accepts every write and computes
// nothing: the engine walks its real load and run paths and what it would have taken is exact.
// Computing, it holds host memory and lets ggml's CPU backend work on it, so that its results are
// the CPU's; it has a capacity, a neighbour and faults (card_script.h). Both size their buffers by
// the same device profile, so both count the same bytes.
//
// ggml cannot forget a device: a simulated card lives until the process ends. Any number of them
// may exist. A simulated card is used from one thread at a time.
#pragma once

#include <ggml-backend.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "asr/sim/card_script.h"
#include "asr/sim/device_profile.h"
#include "base/clock.h"

namespace headroom::worker {

struct SimCardOptions {
  DeviceProfile profile = {};
  Bytes capacity = MiB(4096);
  bool counting = false;  // then the capacity refuses nothing
  std::vector<GpuEvent> script = {};
};

class SimCard {
 public:
  /// Registered with ggml, behind the devices there already.
  static SimCard& Make(SimCardOptions options);
  SimCard(const SimCard&) = delete;
  SimCard& operator=(const SimCard&) = delete;

  ggml_backend_dev_t device() const;
  ggml_backend_buffer_type_t buffer_type() const;
  const SimCardOptions& options() const { return options_; }

  Bytes used() const { return used_; }  // by this process
  Bytes peak() const { return peak_; }
  void ResetPeak() { peak_ = used_; }
  Bytes neighbour() const { return neighbour_; }
  Bytes free() const;

  /// The script's clock and its count of runs begin here.
  void Ready();
  void BeginRun();

  /// Counting: rows of `vocabulary` scores that are read back name `token` the best, so that a
  /// decoder stops as soon as it may. Otherwise everything reads as zero.
  void Prefer(std::int64_t token, std::int64_t vocabulary);

 private:
  struct Interface;  // what ggml calls
  struct Registration;
  explicit SimCard(SimCardOptions options);
  ~SimCard();

  /// False: this allocation fails.
  bool OnAllocation(Bytes size);
  void ReadNothing(std::span<std::byte> into) const;
  void OnCompute();
  bool Due(const GpuEvent& event, bool computing) const;
  void SetNeighbour(Bytes wanted);
  [[noreturn]] static void AbortWith(std::int64_t code);

  const SimCardOptions options_;
  std::unique_ptr<Registration> registration_;
  std::vector<GpuEvent> pending_;
  Bytes used_, peak_, neighbour_;
  std::int64_t allocations_ = 0, computes_ = 0, runs_ = 0;
  MonoTime ready_ = MonoTime::max();
  Milliseconds slow_{0};
  std::int64_t token_ = -1, vocabulary_ = 0;  // see Prefer
};

}  // namespace headroom::worker
