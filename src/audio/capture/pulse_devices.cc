#include "audio/capture/pulse_devices.h"

#include <pulse/error.h>
#include <pulse/introspect.h>
#include <pulse/mainloop.h>
#include <pulse/operation.h>
#include <pulse/proplist.h>

#include <memory>
#include <utility>

namespace headroom::audio {

bool PulseDeviceQuery::Start(pa_context* context) {
  *this = {};
  pa_operation* const operations[] = {pa_context_get_server_info(context, OnServer, this),
                                      pa_context_get_source_info_list(context, OnSource, this)};
  for (pa_operation* operation : operations) {
    if (!operation) return false;
    pa_operation_unref(operation);
    ++pending_;
  }
  return true;
}

void PulseDeviceQuery::OnServer(pa_context*, const pa_server_info* info, void* self) {
  auto* query = static_cast<PulseDeviceQuery*>(self);
  --query->pending_;
  if (!info) query->failed_ = true;
  if (info && info->default_source_name) query->default_ = info->default_source_name;
}

void PulseDeviceQuery::OnSource(pa_context*, const pa_source_info* info, int eol, void* self) {
  auto* query = static_cast<PulseDeviceQuery*>(self);
  if (eol == 0 && info) {
    query->devices_.push_back({.kind = SourceKind::kPulse,
                               .name = info->name ? info->name : "",
                               .description = info->description ? info->description : "",
                               .is_default = false,
                               .monitor = info->monitor_of_sink != PA_INVALID_INDEX,
                               .muted = info->mute != 0});
    return;
  }
  --query->pending_;
  if (eol < 0) query->failed_ = true;
}

std::vector<Device> PulseDeviceQuery::TakeDevices() {
  for (Device& device : devices_) device.is_default = device.name == default_;
  return std::exchange(devices_, {});
}

pa_context* ConnectPulse(pa_mainloop_api* api) {
  const std::unique_ptr<pa_proplist, decltype(&pa_proplist_free)> properties(pa_proplist_new(),
                                                                             pa_proplist_free);
  pa_proplist_sets(properties.get(), PA_PROP_APPLICATION_NAME, "Headroom");
  pa_proplist_sets(properties.get(), PA_PROP_APPLICATION_ID, "headroom");
  pa_proplist_sets(properties.get(), PA_PROP_APPLICATION_ICON_NAME, "audio-input-microphone");
  pa_context* context = pa_context_new_with_proplist(api, "Headroom", properties.get());
  if (!context) return nullptr;
  if (pa_context_connect(context, nullptr, PA_CONTEXT_NOAUTOSPAWN, nullptr) >= 0) return context;
  pa_context_unref(context);
  return nullptr;
}

Result<std::vector<Device>> ListPulseDevices(Milliseconds deadline) {
  const Clock& clock = SystemClock();
  const MonoTime until = clock.Now() + deadline;
  const std::unique_ptr<pa_mainloop, decltype(&pa_mainloop_free)> loop(pa_mainloop_new(),
                                                                       pa_mainloop_free);
  const auto drop = [](pa_context* context) {
    pa_context_disconnect(context);
    pa_context_unref(context);
  };
  const std::unique_ptr<pa_context, decltype(drop)> context(
      ConnectPulse(pa_mainloop_get_api(loop.get())), drop);
  if (!context) return Fail(Errc::kNotFound, "no sound server (PulseAudio or PipeWire) is running");
  PulseDeviceQuery query;
  bool asked = false;
  while (clock.Now() < until) {
    const auto state = pa_context_get_state(context.get());
    if (!PA_CONTEXT_IS_GOOD(state) || query.failed())
      return Fail(Errc::kNotFound, "no sound server (PulseAudio or PipeWire) answers: {}",
                  pa_strerror(pa_context_errno(context.get())));
    if (state == PA_CONTEXT_READY && !asked && !(asked = query.Start(context.get())))
      return Fail(Errc::kIo, "the sound server does not list its sources");
    if (asked && !query.pending()) return query.TakeDevices();
    pa_mainloop_prepare(loop.get(), 50'000);
    pa_mainloop_poll(loop.get());
    pa_mainloop_dispatch(loop.get());
  }
  return Fail(Errc::kTimeout, "the sound server (PulseAudio or PipeWire) did not answer in {} ms",
              deadline.count());
}

}  // namespace headroom::audio
