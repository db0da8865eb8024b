// Combines libpulse's asynchronous requests about sources into one request with one answer.
#pragma once

#include <pulse/context.h>
#include <pulse/introspect.h>

#include <string>
#include <vector>

#include "audio/capture/devices.h"

namespace headroom::audio {

/// Must not move until it is answered or the context is gone.
class PulseDeviceQuery {
 public:
  /// Sends the request. False when it cannot be sent.
  bool Start(pa_context* context);
  /// Whether Start was called and the answer is not yet complete.
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

/// A context that connects to the user's server and never starts one. Null on failure.
pa_context* ConnectPulse(pa_mainloop_api* api);

/// kNotFound when no server answers.
Result<std::vector<Device>> ListPulseDevices(Milliseconds deadline);

}  // namespace headroom::audio
