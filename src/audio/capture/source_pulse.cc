// Captures through libpulse, from PulseAudio or from PipeWire's server.
//
// The thread runs libpulse's plain main loop and is the only one that touches it, so libpulse needs
// no lock (pa_threaded_mainloop would take one around every callback), and opening, recovering and
// following the default are one sequence of steps instead of calls from two threads.
#include <pulse/error.h>
#include <pulse/mainloop.h>
#include <pulse/stream.h>
#include <pulse/subscribe.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "audio/capture/backoff.h"
#include "audio/capture/capture_loops.h"
#include "audio/capture/devices.h"
#include "audio/capture/pulse_devices.h"
#include "base/check.h"

namespace headroom::audio {
namespace {

constexpr Milliseconds kTick{250};  // how often the loop checks by itself
constexpr Milliseconds kAnswer{5000};
constexpr Milliseconds kStalled{3000};
// One frame of the voice detector: a wake-up with fewer samples is useless.
constexpr std::uint32_t kFragmentBytes = 512 * sizeof(float);

class PulseCapture {
 public:
  PulseCapture(const SourceOptions& options, Capture& capture)
      : capture_(capture), silence_(options.silence), preference_(options.devices) {}
  ~PulseCapture() { DropContext(); }

  void Run() {
    const std::unique_ptr<pa_mainloop, decltype(&pa_mainloop_free)> loop(pa_mainloop_new(),
                                                                         pa_mainloop_free);
    CHECK(loop);
    api_ = pa_mainloop_get_api(loop.get());
    pa_io_event* stop = api_->io_new(
        api_, capture_.stop().fd(), PA_IO_EVENT_INPUT,
        [](pa_mainloop_api*, pa_io_event*, int, pa_io_event_flags_t, void*) {}, nullptr);
    while (!capture_.stop().raised()) {
      Step(SystemClock().Now());
      const auto wait = std::chrono::microseconds(kTick).count();
      if (pa_mainloop_prepare(loop.get(), static_cast<int>(wait)) < 0) break;
      pa_mainloop_poll(loop.get());
      pa_mainloop_dispatch(loop.get());
    }
    DropContext();
    api_->io_free(stop);
  }

 private:
  void Step(MonoTime now) {
    if (!context_) {
      if (now >= retry_at_) Connect(now);
      return;
    }
    if (!AwaitContext(now)) return;
    if (refresh_wanted_ && !query_.pending()) Refresh(now);
    if (asked_ && !query_.pending()) {
      asked_ = false;
      if (query_.failed()) return Lost(now, "the sound server does not list its sources");
      devices_ = query_.TakeDevices();
      Follow(now);
    }
    if (asked_ && now - asked_at_ > kAnswer) return Lost(now, "the sound server does not answer");
    if (stream_) WatchStream(now);
  }

  void Connect(MonoTime now) {
    context_ = ConnectPulse(api_);
    since_ = now;
    ready_ = false;
    if (!context_) Lost(now, "no sound server (PulseAudio or PipeWire) is running");
  }

  bool AwaitContext(MonoTime now) {
    const auto state = pa_context_get_state(context_);
    if (!PA_CONTEXT_IS_GOOD(state)) {
      Lost(now, fmt::format("no sound server (PulseAudio or PipeWire) answers: {}",
                            pa_strerror(pa_context_errno(context_))));
    } else if (state != PA_CONTEXT_READY) {
      if (now - since_ > kAnswer) Lost(now, "the sound server does not answer");
    } else if (!ready_) {
      ready_ = true;
      pa_context_set_subscribe_callback(
          context_,
          [](pa_context*, pa_subscription_event_type_t, std::uint32_t, void* self) {
            static_cast<PulseCapture*>(self)->refresh_wanted_ = true;
          },
          this);
      const auto mask = static_cast<pa_subscription_mask_t>(PA_SUBSCRIPTION_MASK_SERVER |
                                                            PA_SUBSCRIPTION_MASK_SOURCE);
      if (pa_operation* asked = pa_context_subscribe(context_, mask, nullptr, nullptr))
        pa_operation_unref(asked);
      refresh_wanted_ = true;
    }
    return context_ && ready_;
  }

  void Refresh(MonoTime now) {
    refresh_wanted_ = false;
    asked_ = true;
    asked_at_ = now;
    if (!query_.Start(context_)) Lost(now, "the sound server cannot be asked for its sources");
  }

  /// Connects the stream to the chosen device, unless it already is.
  void Follow(MonoTime now) {
    const DevicePreference::Choice choice = preference_.Choose(devices_);
    if (!choice.device) {
      DropStream();
      chosen_.clear();
      return Say(SourceState::kLost, choice.why);
    }
    shown_ = choice.device->description.empty() ? choice.device->name : choice.device->description;
    muted_ = choice.device->muted;
    // While the choice is unchanged, the user may have moved the stream to another device.
    if (stream_ && choice.device->name == chosen_) return;
    const bool follows_already = stream_ && pa_stream_get_state(stream_) == PA_STREAM_READY &&
                                 pa_stream_get_device_name(stream_) == choice.device->name;
    chosen_ = choice.device->name;
    if (follows_already) return;
    DropStream();
    StartStream(now);
  }

  void StartStream(MonoTime now) {
    const pa_sample_spec spec{.format = PA_SAMPLE_FLOAT32NE, .rate = kSampleRate, .channels = 1};
    stream_ = pa_stream_new(context_, "Listening", &spec, nullptr);
    if (!stream_) return StreamFailed(now);
    pa_stream_set_read_callback(stream_, OnSamples, this);
    pa_stream_set_overflow_callback(
        stream_, [](pa_stream*, void* self) { ++static_cast<PulseCapture*>(self)->overflows_; },
        this);
    const pa_buffer_attr buffer{.maxlength = static_cast<std::uint32_t>(-1),
                                .tlength = static_cast<std::uint32_t>(-1),
                                .prebuf = static_cast<std::uint32_t>(-1),
                                .minreq = static_cast<std::uint32_t>(-1),
                                .fragsize = kFragmentBytes};
    since_ = last_samples_ = last_sound_ = now;
    Say(interrupted_ ? SourceState::kRecovering : SourceState::kOpening, "");
    if (pa_stream_connect_record(stream_, chosen_.c_str(), &buffer, PA_STREAM_ADJUST_LATENCY) < 0)
      StreamFailed(now);
  }

  // Called during dispatch, on this thread: no lock, no allocation, no waiting.
  static void OnSamples(pa_stream* stream, std::size_t, void* self) {
    auto* capture = static_cast<PulseCapture*>(self);
    while (pa_stream_readable_size(stream) > 0) {
      const void* data = nullptr;
      std::size_t bytes = 0;
      if (pa_stream_peek(stream, &data, &bytes) < 0 || bytes == 0) break;
      const std::size_t count = bytes / sizeof(float);
      if (data) {
        const std::span samples(static_cast<const float*>(data), count);
        capture->capture_.Put(samples);
        capture->heard_ |= std::ranges::any_of(samples, [](float s) { return s != 0; });
      } else {
        capture->capture_.PutMissing(count);
      }
      capture->came_ = true;
      pa_stream_drop(stream);
    }
  }

  void WatchStream(MonoTime now) {
    const auto state = pa_stream_get_state(stream_);
    if (!PA_STREAM_IS_GOOD(state)) return StreamFailed(now);
    if (state != PA_STREAM_READY) {
      if (now - since_ > kAnswer) Lost(now, "the sound server does not open " + shown_);
      return;
    }
    for (; overflows_ > 0; --overflows_) capture_.CountInterruption();
    if (std::exchange(came_, false)) last_samples_ = now;
    if (std::exchange(heard_, false)) last_sound_ = now;
    if (last_samples_ > since_) return SayRunning(now);
    Stalled(now);
  }

  void SayRunning(MonoTime now) {
    if (now - last_samples_ > kStalled) return Stalled(now);
    if (now - since_ > kStalled) backoff_.Reset();
    interrupted_ = false;
    running_ = true;
    std::string problem;
    if (muted_) {
      problem = shown_ + " is muted";
    } else if (now - last_sound_ > silence_) {
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(silence_).count();
      problem = fmt::format("{} has been silent for {} s; is it switched off?", shown_, seconds);
    }
    Say(SourceState::kRunning, std::move(problem));
  }

  /// Handles a connected stream without samples.
  void Stalled(MonoTime now) {
    if (now - last_samples_ <= kStalled) return;
    if (pa_stream_is_suspended(stream_) == 1) {
      if (std::exchange(running_, false)) capture_.CountInterruption();
      return Say(SourceState::kLost, shown_ + " is suspended by the system; waiting");
    }
    Lost(now, shown_ + " gives no samples");
  }

  /// Handles a stream that failed or whose source is gone.
  void StreamFailed(MonoTime now) {
    const std::string why = pa_strerror(pa_context_errno(context_));
    const bool gone = running_;
    DropStream();
    if (!gone) return Lost(now, fmt::format("{} cannot be opened: {}", shown_, why));
    chosen_.clear();
    refresh_wanted_ = true;
    Say(SourceState::kRecovering, shown_ + " went away");
  }

  /// Reconnects a little later.
  void Lost(MonoTime now, std::string why) {
    DropContext();
    retry_at_ = now + backoff_.Next();
    Say(SourceState::kLost, std::move(why));
  }

  void DropStream() {
    if (!stream_) return;
    if (std::exchange(running_, false)) capture_.CountInterruption();
    interrupted_ = true;
    pa_stream_set_read_callback(stream_, nullptr, nullptr);
    pa_stream_set_overflow_callback(stream_, nullptr, nullptr);
    pa_stream_disconnect(stream_);
    pa_stream_unref(stream_);
    stream_ = nullptr;
  }

  void DropContext() {
    DropStream();
    chosen_.clear();
    asked_ = refresh_wanted_ = ready_ = false;
    if (!context_) return;
    pa_context_set_subscribe_callback(context_, nullptr, nullptr);
    pa_context_disconnect(context_);
    pa_context_unref(context_);
    context_ = nullptr;
    query_ = {};
  }

  void Say(SourceState state, std::string problem) {
    capture_.Say(state, shown_, std::move(problem));
  }

  Capture& capture_;
  const Milliseconds silence_;
  DevicePreference preference_;
  Backoff backoff_{Milliseconds(100), Milliseconds(3000)};

  pa_mainloop_api* api_ = nullptr;
  pa_context* context_ = nullptr;
  pa_stream* stream_ = nullptr;
  MonoTime retry_at_{};  // while there is no context
  MonoTime since_{};     // when connecting or opening the stream began
  bool ready_ = false;   // the context was seen to be ready

  PulseDeviceQuery query_;
  bool refresh_wanted_ = false;
  bool asked_ = false;  // query_ was started and its answer not yet used
  MonoTime asked_at_{};
  std::vector<Device> devices_;
  std::string chosen_, shown_;  // name and description of the chosen device
  bool muted_ = false;

  bool came_ = false, heard_ = false;  // set by OnSamples: samples; samples that are not zero
  int overflows_ = 0;
  MonoTime last_samples_{}, last_sound_{};
  bool running_ = false;      // samples of this stream were seen
  bool interrupted_ = false;  // there was a stream before
};

}  // namespace

Result<> CapturePulse(const SourceOptions& options, Capture& capture) {
  PulseCapture(options, capture).Run();
  return {};
}

}  // namespace headroom::audio
