// The client of headroom-probe: whatever a driver does, an answer or its absence within 200 ms.
//
// A request is sent and waited for until its deadline. An answer that is not there by then is
// itself a sample: kLate, with what was known last. It is collected by a later Ask, which meanwhile
// does not wait. A probe that stays silent is killed and restarted, at growing intervals; one
// that the kernel cannot kill (a driver call that never returns) is never waited for, and nothing
// is started beside it. One thread at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/child.h"
#include "base/clock.h"
#include "observe/probe/device.h"

namespace headroom::probe {

enum class ProbeState {
  kFresh,  // answered in time
  kLate,   // not, or with an answer that took longer than the deadline
  kDown,   // no probe is running; `trouble` says why
};
/// "fresh", "late", "down"
std::string_view Name(ProbeState state);

struct DeviceReport {
  ProbeState state = ProbeState::kDown;
  std::vector<Device> devices;          // the last reported
  std::optional<MonoTime> measured_at;  // when they arrived; absent: never
  Milliseconds waiting{0};              // how long the request has been, or was, unanswered
  std::string trouble;
};

/// Where a sample's devices come from; a seam for tests.
class DeviceSource {
 public:
  virtual ~DeviceSource() = default;
  /// `rest`: GPUs that can sleep are to be left alone, drivers let go of.
  virtual DeviceReport Ask(std::span<const pid_t> ours, bool rest) = 0;
};

struct DeviceProbeOptions {
  std::string program = "headroom-probe";  // found with FindProgram, or a path
  std::vector<std::string> arguments;      // e.g. --nvml=PATH, --root=PATH
  std::vector<std::pair<std::string, std::string>> environment;
  Milliseconds deadline{200};
  Milliseconds hung_after{5'000};
  /// For the first answer of a new probe: loading a driver takes a second or two on some machines.
  Milliseconds first_hung_after{15'000};
  Milliseconds restart_after{1'000};     // doubles with each failure…
  Milliseconds restart_at_most{60'000};  // …up to this, until kSettled answers came in a row
};

class DeviceProbe : public DeviceSource {
 public:
  /// Starts nothing yet. `clock` drives the policy; waiting itself is real.
  explicit DeviceProbe(DeviceProbeOptions options, const Clock& clock = SystemClock());
  ~DeviceProbe() override;  // takes a tenth of a second at most
  DeviceProbe(const DeviceProbe&) = delete;
  DeviceProbe& operator=(const DeviceProbe&) = delete;

  DeviceReport Ask(std::span<const pid_t> ours, bool rest) override;

  /// The process, -1 when none is running.
  pid_t pid() const { return child_ ? child_->pid() : -1; }
  int starts() const { return starts_; }

 private:
  static constexpr int kSettled = 20;

  DeviceReport Report(ProbeState state, Milliseconds waiting, std::string trouble) const;
  Result<> Start();
  Result<> Send(std::span<const pid_t> ours, bool rest);
  /// The answer to the outstanding request, nullopt when it has not come by `deadline`.
  Result<std::optional<Answer>> Await(MonoTime deadline);
  Result<bool> Receive();  // false: nothing is there
  void End(Error why);
  bool Reaped();

  DeviceProbeOptions options_;
  const Clock& clock_;
  std::unique_ptr<Child> child_;
  std::unique_ptr<Child> dying_;  // killed, not yet gone
  Fd socket_;
  std::string input_;             // less than a line
  std::optional<MonoTime> sent_;  // of the outstanding request
  std::int64_t seq_ = 0;
  int starts_ = 0;
  int answers_ = 0;  // in a row, of this child
  Milliseconds back_off_;
  MonoTime next_start_{};
  std::string trouble_;  // why the last one ended
  std::vector<Device> devices_;
  std::optional<MonoTime> measured_at_;
};

}  // namespace headroom::probe
