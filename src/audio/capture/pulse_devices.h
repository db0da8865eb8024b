// libpulse's asynchronous questions about sources, as one question with one answer.
#pragma once

#include <pulse/context.h>
#include <pulse/introspect.h>

#include <string>
#include <vector>

#include "audio/capture/devices.h"

namespace headroom::audio {

/// Must stay where it is until the answer is there or the context is gone.
class PulseDeviceQuery {
 public:
  /// Asks. False when the server cannot be asked.
  bool Start(pa_context* context);
  /// Start was called and the answer is not yet whole.
  bool pending() const { return pending_ > 0; }
  bool failed() const { return failed_; }
  /// The answer.
  std::vector<Device> TakeDevices();

 private:
  static void OnServer(pa_context*, const pa_server_info* info, void* self);
  static void OnSource(pa_context*, const pa_source_info* info, int eol, void* self);

  int pending_ = 0;
  bool failed_ = false;
  std::string default_;
  std::vector<Device> devices_;
};

/// A context that is being connected to the user's server; never starts a server. Null on failure.
pa_context* ConnectPulse(pa_mainloop_api* api);

/// kNotFound when no server answers.
Result<std::vector<Device>> ListPulseDevices(Milliseconds deadline);

}  // namespace headroom::audio
